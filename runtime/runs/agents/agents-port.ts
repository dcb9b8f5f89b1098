import { errorText } from "../../base/error-text.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { AgentsPort } from "../../protocol/agents-port.js";
import { AgentId } from "../../protocol/ids.js";
import type { PortFailure, PortResult } from "../../protocol/ports.js";
import type { LiveAgent } from "../run-context.js";
import { findLiving } from "./find-living.js";
import { findSpec } from "./find-spec.js";
import type { Agents } from "./open-agents.js";
import { runChild } from "./run-child.js";
import type { WorkPlace } from "./work.js";

/** Who waits for whose answer, so that no circle of agents waits for itself. */
type Waiting = Map<string, string>;

/** Each agent's way to others; every access was granted before, and what comes of it is in the journal. */
export function agentsPorts(agents: Agents, place: WorkPlace): (agent: LiveAgent) => AgentsPort {
  const waiting: Waiting = new Map();
  return (agent) => agentsPort(agent, agents, place, waiting);
}

function agentsPort(
  agent: LiveAgent,
  agents: Agents,
  { deps, answers }: WorkPlace,
  waiting: Waiting,
): AgentsPort {
  const letter = (method: string, text: string) => ({ text, method, from: agent.id, by: agent.id });
  const living = (id: string) => findLiving(agents, id);
  return {
    max_children: deps.settings.agent.max_children,
    resolve: (manifest) => attempt(() => findSpec(manifest, deps)),
    runChild: (_allowed, spec, message, signal) => runChild(agent, spec, message, signal),
    find: (name) =>
      attempt(() => {
        const found = living(name);
        return { agent_id: found.id, name: found.spec.name };
      }),
    send: (_allowed, to, text) =>
      attemptAsync(async () => {
        const one = living(AgentId.parse(to.agent_id));
        return { trace_id: await agents.post(one, letter("send_message", text)) };
      }),
    sendAndWait: async (_allowed, to, text, timeoutMs, signal) => {
      if (waitsFor(waiting, to.agent_id, agent.id))
        return unavailable(
          `${to.name} itself waits for an answer of yours: it cannot answer before you do`,
        );
      const sent = await attemptAsync(() =>
        agents.post(living(AgentId.parse(to.agent_id)), letter("send_and_wait", text)),
      );
      if (!sent.ok) return sent;
      waiting.set(agent.id, to.agent_id);
      try {
        const waited = await answers.wait(sent.value, timeoutMs, signal);
        if (waited.ok) return { ok: true, value: waited.report };
        if (waited.why === "stopped") return unavailable(`${to.name} was stopped`);
        const message = `${to.name} has not answered within ${timeoutMs / 1_000} s`;
        return { ok: false, kind: "timeout", message };
      } finally {
        waiting.delete(agent.id);
      }
    },
  };
}

/** Whether `from` waits, by however many others, for `target`; an agent that writes to itself does, too. */
function waitsFor(waiting: Waiting, from: string, target: string): boolean {
  for (let at: string | undefined = from; at !== undefined; at = waiting.get(at)) {
    if (at === target) return true;
  }
  return false;
}

function attempt<T>(look: () => T): PortResult<T> {
  try {
    return { ok: true, value: look() };
  } catch (thrown) {
    return failureOf(thrown);
  }
}

async function attemptAsync<T>(act: () => Promise<T>): Promise<PortResult<T>> {
  try {
    return { ok: true, value: await act() };
  } catch (thrown) {
    return failureOf(thrown);
  }
}

function failureOf(thrown: unknown): PortFailure {
  if (!(thrown instanceof AgentdError)) throw thrown;
  const notFound = ["unknown_manifest", "unknown_id", "ambiguous_id"].includes(thrown.code);
  const kind = notFound ? "not_found" : thrown.code === "unavailable" ? "unavailable" : "failed";
  return { ok: false, kind, message: errorText(thrown) };
}

function unavailable(message: string): PortFailure {
  return { ok: false, kind: "unavailable", message };
}
