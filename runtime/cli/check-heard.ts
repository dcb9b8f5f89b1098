import type { AgentdError } from "../protocol/agentd-error.js";
import { RESULTS } from "../protocol/control-results.js";
import { type Heard, lost } from "./client.js";

/**
 * What a verb ran into, judged by what the daemon had said: an answer that is not what the protocol makes of its method comes from
 * another version, or from no agentd, and explains whatever went wrong after it. Undefined where every answer is sound.
 */
export function checkHeard(heard: readonly Heard[], thrown: unknown): AgentdError | undefined {
  const strange = heard.find(({ method, result }) => !RESULTS[method].safeParse(result).success);
  if (strange === undefined) return undefined;
  return lost(`the daemon's answer to ${strange.method} is not understood`, thrown);
}
