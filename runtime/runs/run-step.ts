import { isLetGo, throwIfLetGo } from "../agent/let-go.js";
import { declaredOutputs } from "../catalog/role-checks.js";
import { resolveParams } from "../catalog/role-params.js";
import { expandGrants } from "../policy/expand.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Grant } from "../protocol/capability.js";
import type { PlanStep } from "../protocol/plan.js";
import type { Role } from "../protocol/role.js";
import { type AgentHistory, NOTHING_YET, readAgentHistory } from "./agent-history.js";
import { stepHome } from "./agent-home.js";
import { documentDenial } from "./document-denial.js";
import type { StepEnd, StepOutcome } from "./execute-plan.js";
import { type Failure, failureOf } from "./failure.js";
import { modelOfStep } from "./model-ladder.js";
import { missingOutputs, printOutputs, syncFiles } from "./output-contract.js";
import type { AgentHome, RunContext } from "./run-context.js";
import { runFetcher } from "./run-fetcher.js";
import type { StepHistory } from "./run-history.js";
import { runModelAgent } from "./run-model-agent.js";
import {
  type BornAgent,
  type EndReason,
  endOfAgent,
  type SpawnedAgent,
  spawnAgent,
  takeUpAgent,
} from "./spawn-agent.js";
import type { AgentReply, Params, StepWork } from "./step-work.js";
import { stoppable } from "./stoppable.js";

/**
 * Carry out one step with one agent: a new one, or the one that has begun it. It has succeeded only when the agent completed, its
 * reply is no `ERROR:` line, and every file it declared exists, is new, and is synced to disk. Throws `LetGo` where it is to be
 * taken up again, and nothing else.
 */
export async function runStep(
  run: RunContext,
  step: PlanStep,
  history: StepHistory,
  signal: AbortSignal,
): Promise<StepEnd> {
  let agent: SpawnedAgent | undefined;
  let born: BornAgent | undefined;
  let outcome: StepOutcome;
  let written = (): void => undefined;
  try {
    const past = pastOf(run, history);
    born = bornOf(step, history, past);
    throwIfLetGo(signal);
    signal.throwIfAborted();
    const wanted = prepare(run, step);
    if ("code" in wanted) outcome = failed(wanted);
    else {
      using _slot = await run.shared.agentSlots.take(AbortSignal.any([signal, run.rest]));
      const before = past.outputs_before ?? (await printOutputs(wanted.outputs));
      const home = stepHome(run, step, wanted.role);
      agent =
        born === undefined
          ? await newAgent(run, home, step, wanted, before)
          : takeUpAgent(home, born);
      const work = { run, step, ...wanted, before, agent, history: past };
      const [stopped, settle] = stoppable(run.shared, agent.id);
      written = settle;
      outcome = await outcomeOf(work, AbortSignal.any([signal, stopped]));
    }
  } catch (thrown) {
    const reason: unknown = signal.aborted ? signal.reason : thrown;
    if (isLetGo(reason)) {
      await agent?.letGo();
      written();
      throw reason;
    }
    outcome = failed(failureOf(reason));
  }
  const [reason, message] = endingOf(outcome);
  if (agent !== undefined) {
    return { outcome, farewell: await agent.end(reason, message), written };
  }
  const of = { run_id: run.id, step_id: step.id };
  const farewell =
    born === undefined ? [] : endOfAgent({ shared: run.shared, of }, born, reason, message);
  return { outcome, farewell, written };
}

function pastOf(run: RunContext, { agent }: StepHistory): AgentHistory {
  return agent === undefined ? NOTHING_YET : readAgentHistory(run.deps.reader, agent);
}

function bornOf(
  { role: name }: PlanStep,
  { agent: id }: StepHistory,
  { spawned_seq }: AgentHistory,
): BornAgent | undefined {
  return id === undefined ? undefined : { id, name, spawned_seq };
}

interface Wanted {
  readonly role: Role;
  readonly params: Params;
  readonly grants: readonly Grant[];
  readonly outputs: readonly string[];
}

/** The step's role with the step's parameters, or why it cannot be carried out. */
function prepare(run: RunContext, step: PlanStep): Wanted | Failure {
  const role = run.deps.roles().get(step.role)?.role;
  if (role === undefined)
    throw new AgentdError("unknown_role", "run step", `there is no role "${step.role}"`);
  const params = resolveParams(role, step.params);
  if (!params.ok)
    return { code: "invalid_params", message: params.problems.join("; "), class: "replan" };
  const { grants, problems } = expandGrants(role.capabilities, params.params);
  if (problems.length > 0)
    return { code: "invalid_capability", message: problems.join("; "), class: "replan" };
  return { role, params: params.params, grants, outputs: outputPaths(role, params.params) };
}

function newAgent(
  run: RunContext,
  home: AgentHome,
  step: PlanStep,
  { role, grants }: Wanted,
  before: ReadonlyMap<string, string>,
): Promise<SpawnedAgent> {
  const { models } = home.deps;
  const model =
    role.scaffold === undefined
      ? models.resolve(modelOfStep(role, step.id, run.tiers)).model
      : "scaffold";
  const birth = { outputs_before: Object.fromEntries(before) };
  return spawnAgent(home, { name: role.name, model, grants, birth });
}

async function outcomeOf(work: StepWork, signal: AbortSignal): Promise<StepOutcome> {
  const { agent, before } = work;
  const reply = await replyOf(work, signal);
  const outcome = reply.ok ? await judge(reply.text, before, work) : failed(reply.failure);
  if (!outcome.ok && agent.trouble.diskFull !== undefined)
    return failed({ code: "disk_full", message: agent.trouble.diskFull, class: "fatal" });
  return outcome;
}

async function replyOf(work: StepWork, signal: AbortSignal): Promise<AgentReply> {
  try {
    if (work.role.scaffold?.kind === "fetcher") return await runFetcher(work, signal);
    return await runModelAgent(work, signal);
  } catch (thrown) {
    const reason: unknown = signal.aborted ? signal.reason : thrown;
    if (isLetGo(reason)) throw reason;
    return { ok: false, failure: failureOf(reason) };
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

function endingOf(outcome: StepOutcome): readonly [EndReason, string?] {
  if (outcome.ok) return ["completed"];
  const { code, message } = outcome.failure;
  if (code === "ttl_expired") return ["timeout", message];
  return [code === "cancelled" ? "user_requested" : "error", message];
}
