import { promises as fs } from "node:fs";
import { isLetGo, throwIfLetGo } from "../agent/let-go.js";
import { errorText } from "../base/error-text.js";
import { makeCeiling } from "../policy/ceiling.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { EventBody } from "../protocol/event.js";
import type { StepId } from "../protocol/ids.js";
import { NO_USAGE } from "../protocol/model.js";
import type { Plan } from "../protocol/plan.js";
import { endWaiting } from "./approvals/waiting-state.js";
import { outputsOf } from "./check-plan.js";
import { documentDenial } from "./document-denial.js";
import { executeRunPlan } from "./execute-run-plan.js";
import { diskError, type Failure, failureOf } from "./failure.js";
import { finishedDocuments } from "./finish.js";
import { keepFinished } from "./keep-finished.js";
import { escalate } from "./model-ladder.js";
import { firstPlan, isDirect, replanned } from "./orchestrate.js";
import { missingOutputs, printOutputs } from "./output-contract.js";
import { savePlan } from "./plan-file.js";
import { type Recorder, recorder } from "./record.js";
import type { RunContext } from "./run-context.js";
import type { PlanHistory } from "./run-history.js";
import type { RunMoves } from "./run-moves.js";

/** A run as it is being carried out. */
interface Progress {
  readonly record: Recorder;
  /** What each document that a plan named was like when that plan began. */
  readonly before: Map<string, string>;
}

/**
 * Take a run to its end, from where its journal says that it stands. Returns early where the rest is to be done later. Never throws:
 * what went wrong is the run's failure, in the journal.
 */
export async function carryOut(run: RunContext, signal: AbortSignal): Promise<void> {
  const { moves, deps, history } = run;
  const record = recorder(deps.journal, { run_id: run.id, actor: "daemon" });
  const progress: Progress = { record, before: new Map(history.before) };
  try {
    throwIfLetGo(signal);
    // A run that is to end may have steps under way, left by a daemon before this one: they are ended on the way.
    if (history.current === null) signal.throwIfAborted();
    await makeRunDir(run.dir);
    await finish(run, await planAndExecute(run, progress, signal), progress);
  } catch (thrown) {
    // What was let go of has not ended, even where the run was stopped at the same moment.
    const reason: unknown = signal.aborted ? signal.reason : thrown;
    if (isLetGo(thrown) || isLetGo(reason)) return;
    await fail(failureOf(reason), moves).catch((unwritable: unknown) => {
      if (isLetGo(unwritable)) return;
      deps.log("error", "the end of a run could not be recorded", {
        run_id: run.id,
        error: errorText(unwritable),
      });
    });
  }
}

async function makeRunDir(dir: string): Promise<void> {
  try {
    await fs.mkdir(dir, { recursive: true, mode: 0o770 });
  } catch (thrown) {
    throw diskError("make workspace", `cannot make ${dir}`, thrown);
  }
}

/** Plan, execute, and while steps fail in a way that another plan may avoid, plan again and keep what has succeeded. */
async function planAndExecute(
  run: RunContext,
  progress: Progress,
  signal: AbortSignal,
): Promise<PlanHistory> {
  const { moves, history } = run;
  let current = history.current ?? (await beginFirst(run, progress, signal));
  // Crash and power cut may have taken the copy beside the run's files.
  if (current === history.current) await savePlan(run.dir, current.plan, run.deps.entropy);
  for (;;) {
    if (!current.isGivenUp) {
      // From the queue after a pause; where all is to end, nothing begins.
      if (moves.now() === "queued" && !signal.aborted) await moves.move("execute");
      const { outcomes } = await executeRunPlan(run, current, signal);
      await endWaiting(run, run.shared.approvals);
      signal.throwIfAborted();
      current = { ...current, outcomes };
      const failures = failuresOf(outcomes);
      if (failures.length === 0) return current;
      requireReplannable(run, current, failures);
    }
    current = await planAgain(run, current, progress, signal);
  }
}

async function beginFirst(
  run: RunContext,
  progress: Progress,
  signal: AbortSignal,
): Promise<PlanHistory> {
  const plan = await firstPlan(run, progress.record, signal);
  return beginPlan(run, { plan, replans: 0, outcomes: new Map() }, progress);
}

/** Throws what the run fails with, where no other plan could do better or none may be made. */
function requireReplannable(
  run: RunContext,
  { replans }: PlanHistory,
  failures: readonly StepFailure[],
): void {
  // Not one that was only cancelled because of the other.
  const fatal =
    failures.find(({ failure }) => failure.class === "fatal" && failure.code !== "cancelled") ??
    failures.find(({ failure }) => failure.class === "fatal");
  if (fatal !== undefined) throw stepError(fatal);
  const [first] = failures;
  const noMore = replans >= run.deps.settings.planner.max_replans || isDirect(run.request);
  if (first !== undefined && noMore) throw stepError(first);
}

/** Give a plan up and begin the next, with what of the old one has succeeded and still stands. */
async function planAgain(
  run: RunContext,
  { plan, replans, outcomes, isGivenUp }: PlanHistory,
  progress: Progress,
  signal: AbortSignal,
): Promise<PlanHistory> {
  const failures = failuresOf(outcomes);
  const succeeded = await stillStanding(outcomes);
  const [first] = failures;
  if (!isGivenUp && first !== undefined) {
    const reason = stepError(first).message;
    const givenUp = { kind: "plan_replanned" as const, reason, kept: [...succeeded] };
    await run.moves.move("replan", { with: [...escalations(run, plan, failures), givenUp] });
  } else if (run.moves.now() === "queued") await run.moves.move("plan");
  const next = await replanned(run, { plan, succeeded: [...succeeded], failures }, signal);
  const merged = keepFinished(next, plan, succeeded);
  const kept = new Map([...outcomes].filter(([id]) => merged.kept.has(id)));
  return beginPlan(run, { plan: merged.plan, replans: replans + 1, outcomes: kept }, progress);
}

/** The steps that have failed go up their ladders: in the next plan they are carried out by a stronger model. */
function escalations(
  { id, deps, tiers }: RunContext,
  { steps }: Plan,
  failures: readonly StepFailure[],
): readonly EventBody[] {
  const roles = deps.roles();
  return failures.flatMap(({ step: failed }) => {
    const step = steps.find((one) => one.id === failed);
    const role = roles.get(step?.role ?? "")?.role;
    if (step === undefined || role === undefined || role.scaffold !== undefined) return [];
    return escalate(deps.reader, id, step.id, role, tiers) ?? [];
  });
}

/** The plan is durable, in the journal and beside the run's files, before its first step starts. `outcomes` are of steps that stay. */
async function beginPlan(
  run: RunContext,
  begun: Pick<PlanHistory, "plan" | "replans" | "outcomes">,
  { before }: Progress,
): Promise<PlanHistory> {
  const { plan, replans, outcomes } = begun;
  const { final_output } = plan;
  await savePlan(run.dir, plan, run.deps.entropy);
  const [document_before = ""] = (await printOutputs([final_output])).values();
  if (!before.has(final_output)) before.set(final_output, document_before);
  const produced = {
    kind: "plan_produced" as const,
    plan,
    subtask_count: plan.steps.length,
    replans_used: replans,
    kept: [...outcomes.keys()],
    document_before,
  };
  await run.moves.move("execute", { with: [produced] });
  const kept = [...outcomes.keys()].map((id) => [id, { state: "succeeded", attempt: 1 }] as const);
  return { ...begun, steps: new Map(kept), isGivenUp: false };
}

/** The steps that have succeeded and whose files are still there: what another step removed has to be made again. */
async function stillStanding(outcomes: PlanHistory["outcomes"]): Promise<ReadonlySet<StepId>> {
  const standing = new Set<StepId>();
  for (const [id, outcome] of outcomes) {
    if (!outcome.ok) continue;
    const never = new Map(outcome.outputs.map((path) => [path, ""]));
    if ((await missingOutputs(never)).length === 0) standing.add(id);
  }
  return standing;
}

interface StepFailure {
  readonly step: string;
  readonly failure: Failure;
}

function failuresOf(outcomes: PlanHistory["outcomes"]): readonly StepFailure[] {
  return [...outcomes].flatMap(([step, outcome]) =>
    outcome.ok ? [] : [{ step, failure: outcome.failure }],
  );
}

function stepError({ step, failure }: StepFailure): AgentdError {
  const detail = failure.hint === undefined ? {} : { hint: failure.hint };
  return new AgentdError(failure.code, "run step", `step ${step}: ${failure.message}`, detail);
}

async function finish(
  run: RunContext,
  { plan, outcomes }: PlanHistory,
  { before }: Progress,
): Promise<void> {
  const { deps, dir } = run;
  const roles = deps.roles();
  const ceiling = makeCeiling(deps.policy, { workspace: dir, never: deps.neverGrantable });
  const result = await finishedDocuments({
    plan,
    outcomes,
    outputsOf: (step) => outputsOf(step, roles),
    before,
    denial: (path) => documentDenial(path, ceiling),
    runDir: dir,
  });
  await run.moves.move("succeed", {
    with: [{ kind: "run_result", ...result, usage: deps.reader.run(run.id)?.usage ?? NO_USAGE }],
  });
}

async function fail(failure: Failure, moves: RunMoves): Promise<void> {
  const how = failure.code === "cancelled" ? "cancel" : "fail";
  await moves.move(how, { why: { reason: failure.message, error: failure.code } });
}
