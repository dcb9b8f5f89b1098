import { promises as fs } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Denial } from "../protocol/access.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { StepId } from "../protocol/ids.js";
import type { Plan, PlanStep } from "../protocol/plan.js";
import { inDependencyOrder } from "./dag.js";
import type { StepOutcome } from "./execute-plan.js";
import { diskError } from "./failure.js";
import { missingOutputs, syncFiles } from "./output-contract.js";

interface Finished {
  readonly plan: Plan;
  readonly outcomes: ReadonlyMap<StepId, StepOutcome>;
  readonly outputsOf: (step: PlanStep) => readonly string[];
  /** What the document was like before the run, for one that no step declares. */
  readonly before: ReadonlyMap<string, string>;
  /** Why no agent of this run can have made a file there. */
  readonly denial: (path: string) => Promise<Denial | undefined>;
  readonly runDir: string;
}

interface Documents {
  final_output: string;
  final_text: string;
  documents: string[];
}

/**
 * What a run whose steps have all succeeded gives: the path of its document and the last reply of the step that made it. The
 * document is this run's work, lies where its agents may write, and is synced. A lone agent that was asked for no file has its
 * reply kept as the document, in the run's own directory. Throws `denied` and `output_missing`.
 */
export async function finishedDocuments(finished: Finished): Promise<Documents> {
  const { plan, outcomes, outputsOf } = finished;
  const { final_output } = plan;
  const declaring = plan.steps.find((step) => outputsOf(step).includes(final_output));
  const maker = declaring ?? inDependencyOrder(plan).at(-1);
  const outcome = maker === undefined ? undefined : outcomes.get(maker.id);
  const final_text = outcome?.ok === true ? outcome.text : "";
  const denial = await finished.denial(final_output);
  if (denial !== undefined) throw new AgentdError("denied", "finish run", denial.message);
  if (!(await isMade(final_output, declaring !== undefined, finished.before)))
    await keepReply(final_text, finished);
  await syncFiles([final_output]);
  return { final_output, final_text, documents: [final_output] };
}

/** A step that declares the file answers for its being new; one that nobody declares must have changed since the run began. */
async function isMade(
  path: string,
  isDeclared: boolean,
  before: ReadonlyMap<string, string>,
): Promise<boolean> {
  const then = isDeclared ? "" : (before.get(path) ?? "");
  return (await missingOutputs(new Map([[path, then]]))).length === 0;
}

/** Straight in the run's directory, where no folder that an agent made can lead elsewhere, and never over anything. */
async function keepReply(text: string, { plan, runDir }: Finished): Promise<void> {
  const { final_output, steps } = plan;
  if (dirname(final_output) !== runDir || steps.length !== 1 || text.trim() === "") {
    throw new AgentdError(
      "output_missing",
      "finish run",
      `every step succeeded, but ${final_output} was not written`,
    );
  }
  const fresh = join(runDir, `.reply-${basename(final_output)}`);
  try {
    await fs.rm(fresh, { force: true });
    await fs.writeFile(fresh, text.endsWith("\n") ? text : `${text}\n`, { flag: "wx" });
    await syncFiles([fresh]);
    // Whole or not at all, so that a crash leaves no half of it; link(2) replaces nothing.
    await fs.link(fresh, final_output);
    await fs.rm(fresh, { force: true });
  } catch (thrown) {
    throw diskError("keep reply", `cannot write ${final_output}`, thrown);
  }
}
