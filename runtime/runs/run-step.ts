import { declaredOutputs } from "../catalog/role-checks.js";
import { resolveParams } from "../catalog/role-params.js";
import { expandGrants } from "../policy/expand.js";
import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { documentDenial } from "./document-denial.js";
import type { StepOutcome } from "./execute-plan.js";
import { type Failure, failureOf } from "./failure.js";
import { missingOutputs, printOutputs, syncFiles } from "./output-contract.js";
import type { RunContext } from "./run-context.js";
import { runFetcher } from "./run-fetcher.js";
import { runModelAgent } from "./run-model-agent.js";
import { type SpawnedAgent, spawnAgent } from "./spawn-agent.js";
import type { AgentReply, Params, StepWork } from "./step-work.js";

/**
 * Carry out one step with one agent. It has succeeded only when the agent completed, its reply is no `ERROR:` line, and every
 * file it declared exists, is new, and is synced to disk.
 */
export async function runStep(
  run: RunContext,
  step: PlanStep,
  role: Role,
  signal: AbortSignal,
): Promise<StepOutcome> {
  const params = resolveParams(role, step.params);
  if (!params.ok)
    return failed({ code: "invalid_params", message: params.problems.join("; "), class: "replan" });
  const { grants, problems } = expandGrants(role.capabilities, params.params);
  if (problems.length > 0)
    return failed({ code: "invalid_capability", message: problems.join("; "), class: "replan" });
  const outputs = outputPaths(role, params.params);
  using _slot = await run.shared.agentSlots.take(signal);
  const before = await printOutputs(outputs);
  const model =
    role.scaffold === undefined ? run.deps.models.resolve(role.model).model : "scaffold";
  const agent = await spawnAgent(run, { name: role.name, model, step: step.id, grants });
  const stop = new AbortController();
  let settle = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  run.shared.liveAgents.set(agent.id, { stop, ended });
  let outcome: StepOutcome = failed({
    code: "internal",
    message: "the agent did not end",
    class: "fatal",
  });
  try {
    const work = { run, step, role, params: params.params, outputs, before, agent };
    const reply = await replyOf(work, AbortSignal.any([signal, stop.signal]));
    outcome = reply.ok ? await judge(reply.text, before, work) : failed(reply.failure);
    if (!outcome.ok && agent.trouble.diskFull !== undefined)
      outcome = failed({ code: "disk_full", message: agent.trouble.diskFull, class: "fatal" });
    return outcome;
  } finally {
    run.shared.liveAgents.delete(agent.id);
    await endAgent(agent, outcome).finally(settle);
  }
}

async function replyOf(work: StepWork, signal: AbortSignal): Promise<AgentReply> {
  try {
    if (work.role.scaffold?.kind === "fetcher") return await runFetcher(work, signal);
    return await runModelAgent(work, signal);
  } catch (thrown) {
    return { ok: false, failure: failureOf(signal.aborted ? signal.reason : thrown) };
  }
}

async function judge(
  text: string,
  before: ReadonlyMap<string, string>,
  { agent, step, outputs }: StepWork,
): Promise<StepOutcome> {
  const error = text.trim().match(/^ERROR:\s*(.*)/)?.[1];
  if (error !== undefined)
    return failed({
      code: "step_failed",
      message: `the agent reported: ${error}`,
      class: "replan",
    });
  for (const path of outputs) {
    const denial = await documentDenial(path, agent.ceiling);
    if (denial !== undefined)
      return failed({ code: "denied", message: denial.message, class: "replan" });
  }
  const missing = await missingOutputs(before);
  if (missing.length > 0) {
    await agent.record(
      ...missing.map((path) => ({
        kind: "subtask_output_missing" as const,
        subtask_id: step.id,
        declared_path: path,
      })),
    );
    return failed({
      code: "output_missing",
      message: `${missing.join(", ")} was not written`,
      class: "replan",
    });
  }
  await syncFiles(outputs);
  return { ok: true, text, outputs };
}

function outputPaths(role: Role, params: Params): readonly string[] {
  return declaredOutputs(role).flatMap((name) => {
    const value = params[name];
    return typeof value === "string" && value !== "" ? [value] : [];
  });
}

function failed(failure: Failure): StepOutcome {
  return { ok: false, failure };
}

async function endAgent(agent: SpawnedAgent, outcome: StepOutcome): Promise<void> {
  if (outcome.ok) return agent.end("completed");
  const { code, message } = outcome.failure;
  return agent.end(code === "cancelled" ? "user_requested" : "error", message);
}
