import { LetGo } from "../agent/let-go.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { RunId } from "../protocol/ids.js";
import { isRunEnded, type RunState } from "../protocol/run.js";
import type { ActiveRun, ActiveRuns } from "./active-runs.js";
import type { EngineDeps } from "./deps.js";
import { actorOf, type Peer, type RunEngine } from "./engine.js";
import { RunEnded } from "./failure.js";
import { recorder } from "./record.js";
import { openRunMoves } from "./run-moves.js";

const NEVER = new AbortController().signal;

/** What operators tell runs to do. */
export function orders(
  { journal, reader }: Pick<EngineDeps, "journal" | "reader">,
  runs: ActiveRuns,
): Pick<RunEngine, "cancel" | "pause" | "resume"> {
  const stateOf = (id: RunId): RunState => {
    const state = runs.get(id)?.moves.now() ?? reader.run(id)?.state;
    if (state === undefined)
      throw new AgentdError("unknown_id", "find run", `there is no run ${id}`);
    return state;
  };
  const order = async (how: "pause" | "resume", id: RunId, peer: Peer): Promise<void> => {
    const by = recorder(journal, { run_id: id, actor: actorOf(peer) });
    const moves = runs.get(id)?.moves ?? openRunMoves(by, stateOf(id), NEVER);
    await moves.order(how, by, { reason: `${how}d by ${actorOf(peer)}` });
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
      await order("pause", id, peer);
      runs.get(id)?.rest.abort(new LetGo());
    },
    resume: async (id, peer) => {
      const state = stateOf(id);
      if (state !== "paused" && !isRunEnded(state)) return;
      await order("resume", id, peer);
      // One that has not come to rest yet is taken up when it has.
      if (runs.get(id) === undefined) runs.takeUp(id, "queued");
    },
  };
}
