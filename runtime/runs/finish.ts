import { promises as fs } from "node:fs";
import { AgentdError } from "../protocol/agentd-error.js";
import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { inDependencyOrder } from "./dag.js";
import type { StepOutcome } from "./execute-plan.js";
import { missingOutputs, printOutputs, syncFiles } from "./output-contract.js";

interface Finished {
  readonly plan: Plan;
  readonly outcomes: ReadonlyMap<StepId, StepOutcome>;
  readonly outputsOf: (step: PlanStep) => readonly string[];
  readonly runDir: string;
}

/**
 * What a run whose steps have all succeeded gives: the path of its document and the last reply of the step that made it. The
 * document exists and is synced. A lone agent that was asked for no file has its reply kept as the document.
 */
export async function finishedDocuments({ plan, outcomes, outputsOf, runDir }: Finished): Promise<{
  final_output: string;
  final_text: string;
  documents: string[];
}> {
  const { final_output } = plan;
  const maker =
    plan.steps.find((step) => outputsOf(step).includes(final_output)) ??
    inDependencyOrder(plan).at(-1);
  const outcome = maker === undefined ? undefined : outcomes.get(maker.id);
  const final_text = outcome?.ok === true ? outcome.text : "";
  if (!(await exists(final_output))) {
    const ownFile = final_output.startsWith(`${runDir}/`);
    if (!ownFile || plan.steps.length !== 1 || final_text.trim() === "") {
      throw new AgentdError(
        "output_missing",
        "finish run",
        `every step succeeded, but ${final_output} was not written`,
      );
    }
    await fs.writeFile(final_output, final_text.endsWith("\n") ? final_text : `${final_text}\n`, {
      flag: "wx",
    });
  }
  await syncFiles([final_output]);
  return { final_output, final_text, documents: [final_output] };
}

/** True for a regular file. */
async function exists(path: string): Promise<boolean> {
  const never = new Map([...(await printOutputs([path])).keys()].map((key) => [key, ""]));
  return (await missingOutputs(never)).length === 0;
}
