import { isLetGo } from "../../agent/let-go.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { RunId } from "../../protocol/ids.js";
import type { RunMoves } from "../run-moves.js";
import type { Approvals } from "./approvals.js";

/** The part of a run that this needs. */
interface Waiting {
  readonly id: RunId;
  readonly moves: RunMoves;
}

/**
 * Keeps a run's state equal to what is so: `waiting_approval` while something of it waits for an operator, `running` again when
 * nothing does. Ends with what it returns.
 */
export function followWaiting({ id, moves }: Waiting, approvals: Approvals): Disposable {
  let last: Promise<void> = Promise.resolve();
  const adapt = async (): Promise<void> => {
    const isWaiting = approvals.waiting(id) > 0;
    if (isWaiting && moves.now() === "running") await moves.move("await_approval");
    if (!isWaiting && moves.now() === "waiting_approval") await moves.move("approval_settled");
  };
  const inTurn = (): Promise<void> => {
    // Another move was quicker: a pause, or the run's end. Then the state is none of this.
    last = last.then(adapt).catch((thrown: unknown) => {
      const isLate = thrown instanceof AgentdError && thrown.code === "illegal_transition";
      if (!isLate && !isLetGo(thrown)) throw thrown;
    });
    return last;
  };
  const unfollow = approvals.onChange(id, inTurn);
  return { [Symbol.dispose]: unfollow };
}

/** Nothing of the run can make use of an answer any more: what still waits is denied, and the run waits for nothing. */
export async function endWaiting({ id, moves }: Waiting, approvals: Approvals): Promise<void> {
  await approvals.denyAll({ run_id: id }, "the step that asked has ended");
  if (moves.now() === "waiting_approval") await moves.move("approval_settled");
}
