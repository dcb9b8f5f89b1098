import type { AgentId } from "../protocol/ids.js";
import type { Shared } from "./run-context.js";

/** From now on the agent can be stopped by its id, until the second function says that nothing of it is left. */
export function stoppable(
  { liveAgents }: Pick<Shared, "liveAgents">,
  id: AgentId,
): readonly [AbortSignal, () => void] {
  const stop = new AbortController();
  let settle = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  liveAgents.set(id, { stop, ended });
  return [
    stop.signal,
    () => {
      liveAgents.delete(id);
      settle();
    },
  ];
}
