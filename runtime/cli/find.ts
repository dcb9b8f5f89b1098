import { AgentdError } from "../protocol/agentd-error.js";
import type { AgentReport, RunReport } from "../protocol/control-results.js";
import type { Client } from "./client.js";

export type Found =
  | { readonly type: "run"; readonly run: RunReport }
  | { readonly type: "agent"; readonly agent: AgentReport };

/** The one run or agent that the operator means. Throws `unknown_id`, or `ambiguous_id` with the candidates of both. */
export async function findRunOrAgent(client: Client, id: string): Promise<Found> {
  checkId(id);
  const [run, agent] = await Promise.all([
    orRefusal(client.call("run.get", { run_id: id })),
    orRefusal(client.call("agent.status", { agent_id: id })),
  ]);
  if (run.ok && agent.ok) {
    throw ambiguous(id, `run ${run.found.run_id} and agent ${agent.found.agent_id}`);
  }
  for (const one of [run, agent]) {
    if (!one.ok && one.error.code !== "unknown_id") throw one.error;
  }
  if (run.ok) return { type: "run", run: run.found };
  if (agent.ok) return { type: "agent", agent: agent.found };
  throw new AgentdError("unknown_id", "find", `no run or agent matches ${JSON.stringify(id)}`);
}

/** Throws `unknown_id` for what is too short or too long to be an id or a part of one. */
export function checkId(id: string): void {
  if (id.length >= 4 && id.length <= 26) return;
  throw new AgentdError("unknown_id", "find", `${JSON.stringify(id)} is no id`, {
    hint: "Give the id, or at least 4 characters of its beginning or end; `agentd list --all` shows them.",
  });
}

type OrRefusal<T> =
  | { readonly ok: true; readonly found: T }
  | { readonly ok: false; readonly error: AgentdError };

/** A refusal as a value; a daemon that cannot be asked still throws. */
async function orRefusal<T>(call: Promise<T>): Promise<OrRefusal<T>> {
  try {
    return { ok: true, found: await call };
  } catch (thrown) {
    const isRefusal =
      thrown instanceof AgentdError &&
      (thrown.code === "unknown_id" || thrown.code === "ambiguous_id");
    if (!isRefusal) throw thrown;
    return { ok: false, error: thrown };
  }
}

function ambiguous(id: string, what: string): AgentdError {
  return new AgentdError("ambiguous_id", "find", `${JSON.stringify(id)} matches ${what}`);
}
