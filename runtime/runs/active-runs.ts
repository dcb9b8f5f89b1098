import { join } from "node:path";
import { isLetGo, LetGo } from "../agent/let-go.js";
import { formatDuration } from "../base/duration.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { RunId } from "../protocol/ids.js";
import { isRunEnded, type RunState } from "../protocol/run.js";
import { followWaiting } from "./approvals/waiting-state.js";
import { recallRaises } from "./budgets/raise-by-asking.js";
import { openRunAccounts } from "./budgets/run-accounts.js";
import { carryOut } from "./carry-out.js";
import type { EngineDeps } from "./deps.js";
import { failureOf, RunEnded } from "./failure.js";
import { readTiers } from "./model-ladder.js";
import { recorder } from "./record.js";
import type { RunContext, Shared } from "./run-context.js";
import { readRunHistory } from "./run-history.js";
import { openRunMoves, type RunMoves } from "./run-moves.js";
import { openSlots, type Slots } from "./slots.js";

/** Longest delay of a Node timer. */
const MAX_TIMER_MS = 2_147_483_647;

/** A run that this daemon carries out, or that waits for its turn. */
export interface ActiveRun {
  readonly id: RunId;
  /** Ends it: with the reason of its end, or with `LetGo` at once. */
  readonly stop: AbortController;
  /** Lets go of it at the next turn or call. */
  readonly rest: AbortController;
  readonly moves: RunMoves;
  /** Nothing of it is left in this daemon. Never rejects. */
  readonly done: Promise<void>;
}

export interface ActiveRuns {
  readonly get: (id: RunId) => ActiveRun | undefined;
  readonly all: () => readonly ActiveRun[];
  /**
   * The one beginning of everything that is carried out: a new run, one that was found in the journal, one that was paused. `stop`
   * may be aborted: then it is taken up to end it.
   */
  readonly takeUp: (id: RunId, state: RunState, stop?: AbortController) => ActiveRun;
  /** What came to rest though its journal says that it goes on: the disk was full. Whoever moves one takes it out. */
  readonly stranded: Map<RunId, RunState>;
  /** From now on no run that came to rest is taken up again. */
  readonly close: () => void;
}

export function openActiveRuns(deps: EngineDeps, shared: Shared): ActiveRuns {
  const slots = openSlots(deps.settings.run.max_parallel_runs);
  const active = new Map<RunId, ActiveRun>();
  const stranded = new Map<RunId, RunState>();
  let closing = false;

  const takeUp: ActiveRuns["takeUp"] = (id, state, stop = new AbortController()) => {
    const rest = new AbortController();
    if (closing) rest.abort(new LetGo());
    const record = recorder(deps.journal, { run_id: id, actor: "daemon" });
    const moves = openRunMoves(record, state, rest.signal);
    const done = inTurn({ id, stop, rest, moves }).then(() => {
      active.delete(id);
      shared.accounts.delete(id);
      const now = moves.now();
      if (closing || now === "paused" || isRunEnded(now)) return;
      // It was resumed before it had come to rest.
      if (rest.signal.aborted && now === "queued") takeUp(id, "queued");
      else stranded.set(id, now);
    });
    stranded.delete(id);
    const run = { id, stop, rest, moves, done };
    active.set(id, run);
    return run;
  };

  const inTurn = async (run: Waiting): Promise<void> => {
    try {
      using _slot = await turnOf(run, slots);
      const context = contextOf(run, deps, shared);
      using _clock = startClock(context, run.stop);
      using _waiting = followWaiting(context, shared.approvals);
      await carryOut(context, run.stop.signal);
    } catch (thrown) {
      if (isLetGo(thrown)) return;
      const { code, message } = failureOf(thrown);
      deps.log("error", "a run could not be taken up", { run_id: run.id, error: message });
      await run.moves
        .move("fail", { why: { reason: message, error: code } })
        .catch(() => undefined);
    }
  };

  return {
    get: (id) => active.get(id),
    all: () => [...active.values()],
    takeUp,
    stranded,
    close: () => {
      closing = true;
    },
  };
}

type Waiting = Omit<ActiveRun, "done">;

/** One that is stopped while it waits goes on without a slot: it still ends in the journal. Throws `LetGo`. */
async function turnOf({ stop, rest }: Waiting, slots: Slots): Promise<Disposable | undefined> {
  try {
    return await slots.take(AbortSignal.any([stop.signal, rest.signal]));
  } catch (thrown) {
    if (isLetGo(thrown)) throw thrown;
    return undefined;
  }
}

/** The run as its journal has it now. */
function contextOf({ id, rest, moves }: Waiting, deps: EngineDeps, shared: Shared): RunContext {
  const found = deps.reader.run(id);
  if (found === undefined)
    throw new AgentdError("unknown_id", "take up run", `there is no run ${id}`);
  const { request } = found;
  const accounts = openRunAccounts(shared.budgets, request, found);
  recallRaises(deps.reader, shared.budgets, id, accounts);
  shared.accounts.set(id, accounts);
  return {
    id,
    request,
    dir: join(deps.workspaceBase, id),
    accounts,
    tiers: readTiers(deps.reader, id),
    endsAt: Number.POSITIVE_INFINITY,
    moves,
    history: readRunHistory(deps.reader, id),
    rest: rest.signal,
    deps,
    shared,
  };
}

/** A run's time goes on from when it first left the queue, whoever carries it out; while it is paused it stands. */
function startClock(run: RunContext, stop: AbortController): Disposable {
  const { request, history, deps } = run;
  const limitMs = Math.min(
    request.timeout_ms ?? Number.POSITIVE_INFINITY,
    deps.settings.run.max_wall_clock_s * 1_000,
  );
  const now = deps.entropy.now();
  run.endsAt = (history.started_at ?? now) + history.paused_ms + limitMs;
  const message = `the run took longer than ${formatDuration(limitMs)}`;
  const timer = setTimeout(
    () => stop.abort(new RunEnded("budget_exceeded", message)),
    Math.min(Math.max(0, run.endsAt - now), MAX_TIMER_MS),
  );
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
