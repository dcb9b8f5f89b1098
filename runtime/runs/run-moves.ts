import { LetGo } from "../agent/let-go.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { EventBody } from "../protocol/event.js";
import { isRunEnded, type RunMove, type RunState, transitionRun } from "../protocol/run.js";
import type { Recorder } from "./record.js";

interface Why {
  readonly reason?: string;
  readonly error?: string;
}

/** The state of one run, for all who move it: moves are made one after another, each from the state that the last led to. */
export interface RunMoves {
  /** As the journal has it. */
  readonly now: () => RunState;
  /**
   * A move of the run's own course, in one append with what led to it. Throws `illegal_transition`, and `LetGo` where the run is to
   * rest: only a failure ends it then.
   */
  readonly move: (
    how: RunMove,
    options?: { readonly why?: Why; readonly with?: readonly EventBody[] },
  ) => Promise<void>;
  /** An operator's move, recorded in the operator's name. Throws `illegal_transition`. */
  readonly order: (how: "pause" | "resume", by: Recorder, why?: Why) => Promise<void>;
}

/** `record` writes for the run as a whole. */
export function openRunMoves(record: Recorder, initial: RunState, rest: AbortSignal): RunMoves {
  let state = initial;
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (make: () => Promise<void>): Promise<void> => {
    const next = last.then(make);
    last = next.catch(() => undefined);
    return next;
  };
  const moveTo = async (how: RunMove, by: Recorder, why: Why, before: readonly EventBody[]) => {
    const to = transitionRun(state, how);
    if (to === undefined)
      throw new AgentdError("illegal_transition", `${how} run`, illegal(how, state));
    await by(...before, { kind: "run_state_changed", move: how, from: state, to, ...why });
    state = to;
  };
  return {
    now: () => state,
    move: (how, { why = {}, with: before = [] } = {}) =>
      inTurn(async () => {
        if (rest.aborted && how !== "fail" && how !== "cancel") throw new LetGo();
        await moveTo(how, record, why, before);
      }),
    order: (how, by, why = {}) => inTurn(() => moveTo(how, by, why, [])),
  };
}

function illegal(how: RunMove, state: RunState): string {
  const is = isRunEnded(state) ? `has ended (${state})` : `is ${state}`;
  return `the run ${is}: nothing to ${how}`;
}
