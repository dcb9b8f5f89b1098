import { LetGo } from "../agent/let-go.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { RunId } from "../protocol/ids.js";
import { isRunEnded, type RunState } from "../protocol/run.js";
import type { ActiveRun, ActiveRuns } from "./active-runs.js";
import type { EngineDeps } from "./deps.js";
import type { RunEngine } from "./engine.js";
import { RunEnded } from "./failure.js";
import { actorOf } from "./peer.js";
import { recorder } from "./record.js";
import { openRunMoves } from "./run-moves.js";

const NEVER = new AbortController().signal;

/** How the reason of a pause begins that the disk is the cause of. */
const DISK_LOW = "the disk is nearly full";

interface Admission {
  /** Throws `disk_full` while no run may begin. */
  readonly admit: (op: string) => void;
  /** The journal could not be written for want of room. */
  readonly full: (reason: string) => void;
}

/** What operators, and the state of the disk, tell runs to do. */
export function orders(
  { journal, reader }: Pick<EngineDeps, "journal" | "reader">,
  runs: ActiveRuns,
): Pick<RunEngine, "cancel" | "pause" | "resume" | "hold" | "isHeld" | "goOn"> & Admission {
  let held: string | undefined;
  const stateOf = (id: RunId): RunState => {
    const state = runs.get(id)?.moves.now() ?? reader.run(id)?.state;
    if (state === undefined)
      throw new AgentdError("unknown_id", "find run", `there is no run ${id}`);
    return state;
  };
  const order = async (
    how: "pause" | "resume",
    id: RunId,
    actor: string,
    reason = `${how}d by ${actor}`,
  ): Promise<void> => {
    const by = recorder(journal, { run_id: id, actor });
    const moves = runs.get(id)?.moves ?? openRunMoves(by, stateOf(id), NEVER);
    await moves.order(how, by, { reason });
  };
  const goOn = async (id: RunId, actor: string): Promise<void> => {
    await order("resume", id, actor);
    // One that has not come to rest yet is taken up when it has.
    if (runs.get(id) === undefined) runs.takeUp(id, "queued");
  };
  const admit = (op: string): void => {
    if (held !== undefined) throw new AgentdError("disk_full", op, held);
  };
  return {
    cancel: async (id, peer) => {
      const reason = new RunEnded("cancelled", `stopped by ${actorOf(peer)}`);
      const end = async (run: ActiveRun | undefined) => {
        run?.stop.abort(reason);
        await run?.done;
      };
      await end(runs.get(id));
      const state = stateOf(id);
      if (isRunEnded(state)) return;
      // It was paused, or came to rest just now: it is taken up only to end what it has.
      const stop = new AbortController();
      stop.abort(reason);
      await end(runs.get(id) ?? runs.takeUp(id, state, stop));
    },
    pause: async (id, peer) => {
      if (stateOf(id) === "paused") return;
      await order("pause", id, actorOf(peer));
      runs.get(id)?.rest.abort(new LetGo());
    },
    resume: async (id, peer) => {
      const state = stateOf(id);
      if (state !== "paused" && !isRunEnded(state)) return;
      admit("resume run");
      await goOn(id, actorOf(peer));
    },
    admit,
    full: (reason) => {
      held ??= reason;
    },
    hold: (reason) => {
      held = reason;
      return restForDisk(runs, reason, order);
    },
    isHeld: () => held !== undefined,
    goOn: async () => {
      held = undefined;
      for (const [id, state] of [...runs.stranded]) runs.takeUp(id, state);
      const waiting = reader
        .runs({ all: false })
        .filter(({ state, paused }) => state === "paused" && paused?.startsWith(DISK_LOW) === true);
      for (const { run_id } of waiting.toReversed()) await goOn(RunId.parse(run_id), "daemon");
    },
  };
}

/** Where there is no room even for the word that a run pauses, it comes to rest all the same, and is taken up where it stood. */
async function restForDisk(
  runs: ActiveRuns,
  reason: string,
  order: (how: "pause", id: RunId, actor: string, reason: string) => Promise<void>,
): Promise<void> {
  const pause = (id: RunId) => order("pause", id, "daemon", `${DISK_LOW}: ${reason}`);
  const going = runs.all().filter(({ moves }) => moves.now() !== "paused");
  await Promise.all(
    going.map(async ({ id, moves, rest }) => {
      // It may have ended while this was on its way.
      if (isRunEnded(moves.now())) return;
      await pause(id).catch(unlessFull);
      rest.abort(new LetGo());
    }),
  );
  for (const id of [...runs.stranded.keys()])
    await pause(id).then(() => runs.stranded.delete(id), unlessFull);
}

function unlessFull(thrown: unknown): void {
  if (!(thrown instanceof AgentdError) || thrown.code !== "disk_full") throw thrown;
}
