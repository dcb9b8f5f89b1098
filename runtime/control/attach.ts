import { AgentdError } from "../protocol/agentd-error.js";
import type { Frame } from "../protocol/control.js";
import { ERROR_CODES } from "../protocol/error-code.js";
import type { RunId } from "../protocol/ids.js";
import { isRunEnded, RunState } from "../protocol/run.js";
import type { RunDetail } from "../store/reader.js";
import type { ControlDeps } from "./deps.js";
import type { StoredEvent } from "./follow.js";
import { framesUntil } from "./frames-until.js";

/**
 * One run as frames: its events after `afterSeq`, each plan as soon as there is one, and when the run has ended its final text
 * and `end`. A run that ended before gets the same. Leaving early does nothing to the run.
 */
export async function* attachRun(
  deps: ControlDeps,
  runId: RunId,
  afterSeq: number,
  signal: AbortSignal,
): AsyncGenerator<Frame> {
  const ending = {
    mayEnd: (event: StoredEvent) => event.kind === "run_state_changed",
    hasEnded: () => isRunEnded(runOf(deps, runId).state),
  };
  yield* framesUntil(ending, { source: deps, filter: { run_id: runId }, afterSeq }, signal);
  if (!signal.aborted) yield* endFrames(runOf(deps, runId));
}

function runOf({ reader }: ControlDeps, runId: RunId): RunDetail {
  const run = reader.run(runId);
  if (run === undefined) throw new AgentdError("unknown_id", "attach", `no run ${runId}`);
  return run;
}

function* endFrames(run: RunDetail): Generator<Frame> {
  if (run.final_text !== null) yield { kind: "final_text", text: run.final_text };
  yield {
    kind: "end",
    exit_code: run.state === RunState.enum.succeeded ? 0 : 1,
    run_id: run.run_id,
    state: run.state,
    ...(run.final_output === null ? {} : { final_output: run.final_output }),
    ...run.usage,
    elapsed_ms: elapsedMs(run),
    ...errorOf(run),
  };
}

function elapsedMs({ submitted_at, ended_at }: RunDetail): number {
  return ended_at === null ? 0 : Math.max(0, Date.parse(ended_at) - Date.parse(submitted_at));
}

function errorOf({ error }: RunDetail): { error?: string; error_kind?: string; hint?: string } {
  if (error === null) return {};
  const hint = new Map<string, { readonly hint: string }>(Object.entries(ERROR_CODES)).get(
    error.kind,
  )?.hint;
  return {
    error: error.message,
    error_kind: error.kind,
    ...(hint === undefined ? {} : { hint }),
  };
}
