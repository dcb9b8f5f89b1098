import { promises as fs } from "node:fs";
import { errorText } from "../base/error-text.js";
import { makeCeiling } from "../policy/ceiling.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { EventBody } from "../protocol/event.js";
import type { StepId } from "../protocol/ids.js";
import { NO_USAGE } from "../protocol/model.js";
import type { Plan } from "../protocol/plan.js";
import { type RunMove, type RunState, transitionRun } from "../protocol/run.js";
import { outputsOf } from "./check-plan.js";
import { documentDenial } from "./document-denial.js";
import type { Executed, StepOutcome } from "./execute-plan.js";
import { executeRunPlan } from "./execute-run-plan.js";
import { diskError, type Failure, failureOf } from "./failure.js";
import { finishedDocuments } from "./finish.js";
import { keepFinished } from "./keep-finished.js";
import { firstPlan, isDirect, replanned } from "./orchestrate.js";
import { missingOutputs, printOutputs } from "./output-contract.js";
import { savePlan } from "./plan-file.js";
import { type Recorder, recorder } from "./record.js";
import type { RunContext } from "./run-context.js";

/** A run as it is being carried out; `state` follows the journal. */
interface Progress {
  readonly record: Recorder;
  state: RunState;
  /** What each document that a plan named was like when that plan began. */
  readonly before: Map<string, string>;
}

/** Take a queued run to its end. Never throws: what went wrong is the run's failure, in the journal. */
export async function carryOut(run: RunContext, signal: AbortSignal): Promise<void> {
  const record = recorder(run.deps.journal, { run_id: run.id, actor: "daemon" });
  const progress: Progress = { record, state: "queued", before: new Map() };
  try {
    signal.throwIfAborted();
    await makeRunDir(run.dir);
    const { plan, executed } = await planAndExecute(run, progress, signal);
    await finish(run, plan, executed, progress);
  } catch (thrown) {
    const failure = failureOf(signal.aborted ? signal.reason : thrown);
    await fail(failure, progress).catch((unwritable: unknown) => {
      run.deps.log("error", "the end of a run could not be recorded", {
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
): Promise<{ plan: Plan; executed: Executed }> {
  let plan = await firstPlan(run, (how) => move(progress, how), progress.record, signal);
  let kept: ReadonlyMap<StepId, StepOutcome> = new Map();
  for (let replans = 0; ; replans++) {
    await beginPlan(run, plan, replans, progress);
    const executed = await executeRunPlan(run, plan, kept, signal);
    signal.throwIfAborted();
    const failures = failuresOf(executed);
    const first = failures[0];
    if (first === undefined) return { plan, executed };
    // Not one that was only cancelled because of the other.
    const fatal =
      failures.find(({ failure }) => failure.class === "fatal" && failure.code !== "cancelled") ??
      failures.find(({ failure }) => failure.class === "fatal");
    if (fatal !== undefined) throw stepError(fatal);
    if (replans >= run.deps.settings.planner.max_replans || isDirect(run.request))
      throw stepError(first);
    const succeeded = await stillStanding(executed);
    await progress.record({
      kind: "plan_replanned",
      reason: stepError(first).message,
      kept: [...succeeded],
    });
    await move(progress, "replan");
    const next = await replanned(run, { plan, succeeded: [...succeeded], failures }, signal);
    const merged = keepFinished(next, plan, succeeded);
    plan = merged.plan;
    kept = new Map([...executed.outcomes].filter(([id]) => merged.kept.has(id)));
  }
}

/** The plan is durable, in the journal and beside the run's files, before its first step starts. */
async function beginPlan(
  run: RunContext,
  plan: Plan,
  replans: number,
  progress: Progress,
): Promise<void> {
  await savePlan(run.dir, plan, run.deps.entropy);
  if (!progress.before.has(plan.final_output)) {
    for (const [path, print] of await printOutputs([plan.final_output]))
      progress.before.set(path, print);
  }
  await progress.record(
    { kind: "plan_produced", plan, subtask_count: plan.steps.length, replans_used: replans },
    moveEvent(progress, "execute"),
  );
  progress.state = "running";
}

/** The steps that have succeeded and whose files are still there: what another step removed has to be made again. */
async function stillStanding({ outcomes }: Executed): Promise<ReadonlySet<StepId>> {
  const standing = new Set<StepId>();
  for (const [id, outcome] of outcomes) {
    if (!outcome.ok) continue;
    const never = new Map(outcome.outputs.map((path) => [path, ""]));
    if ((await missingOutputs(never)).length === 0) standing.add(id);
  }
  return standing;
}

function failuresOf(
  executed: Executed,
): readonly { readonly step: string; readonly failure: Failure }[] {
  return [...executed.outcomes].flatMap(([step, outcome]) =>
    outcome.ok ? [] : [{ step, failure: outcome.failure }],
  );
}

function stepError({
  step,
  failure,
}: {
  readonly step: string;
  readonly failure: Failure;
}): AgentdError {
  const detail = failure.hint === undefined ? {} : { hint: failure.hint };
  return new AgentdError(failure.code, "run step", `step ${step}: ${failure.message}`, detail);
}

async function finish(
  run: RunContext,
  plan: Plan,
  executed: Executed,
  progress: Progress,
): Promise<void> {
  const { deps, dir } = run;
  const roles = deps.roles();
  const ceiling = makeCeiling(deps.policy, { workspace: dir, never: deps.neverGrantable });
  const result = await finishedDocuments({
    plan,
    outcomes: executed.outcomes,
    outputsOf: (step) => outputsOf(step, roles),
    before: progress.before,
    denial: (path) => documentDenial(path, ceiling),
    runDir: dir,
  });
  await progress.record(
    { kind: "run_result", ...result, usage: NO_USAGE },
    moveEvent(progress, "succeed"),
  );
}

async function fail(failure: Failure, progress: Progress): Promise<void> {
  const how = failure.code === "cancelled" ? "cancel" : "fail";
  await progress.record({
    ...moveEvent(progress, how),
    reason: failure.message,
    error: failure.code,
  });
}

async function move(progress: Progress, how: RunMove): Promise<void> {
  const event = moveEvent(progress, how);
  await progress.record(event);
  progress.state = event.to;
}

function moveEvent(
  progress: Progress,
  how: RunMove,
): Extract<EventBody, { kind: "run_state_changed" }> {
  const to = transitionRun(progress.state, how);
  if (to === undefined)
    throw new AgentdError("illegal_transition", "move run", `${how} from ${progress.state}`);
  return { kind: "run_state_changed", move: how, from: progress.state, to };
}
