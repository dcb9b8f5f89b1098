import { AgentdError } from "../protocol/agentd-error.js";

export type RawParams = Record<string, string | string[]>;

/**
 * `--param K=V` as often as it was given. A key given twice makes a list; whether `a,b` is a list is for the role to say, which
 * knows the parameter's type.
 */
export function parseParams(pairs: readonly string[]): RawParams {
  const params = new Map<string, string | string[]>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new AgentdError("usage", "read --param", `--param ${pair}: expected NAME=VALUE`);
    }
    const name = pair.slice(0, at);
    const value = pair.slice(at + 1);
    const before = params.get(name);
    params.set(name, before === undefined ? value : [before, value].flat());
  }
  return Object.fromEntries(params);
}
