import { ulid } from "../../base/ulid.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { AgentReport, AgentSpec } from "../../protocol/agents-port.js";
import type { BudgetLine } from "../../protocol/budget.js";
import type { NewEvent } from "../../protocol/event.js";
import type { AgentId } from "../../protocol/ids.js";
import type { Json } from "../../protocol/json.js";
import type { ToolResult } from "../../protocol/tool-call.js";
import { budgetLines } from "../budgets/budget-lines.js";
import { callTool, toolCallDeps } from "../call-tool.js";
import { actorOf, type Peer } from "../peer.js";
import { takeUpAgent } from "../spawn-agent.js";
import { findLiving } from "./find-living.js";
import { findSpec } from "./find-spec.js";
import { homeOf, type Living } from "./living.js";
import type { Agents } from "./open-agents.js";
import type { WorkPlace } from "./work.js";

/** A manifest: its name or its YAML whole, or the path of a file of the catalog. */
export interface ManifestSource {
  readonly manifest?: string | undefined;
  readonly manifest_path?: string | undefined;
}

/** `trace_id` alone where nobody waits for the answer. */
export type Sent =
  | { readonly trace_id: string }
  | { readonly trace_id: string; readonly report: AgentReport };

/** What operators may do with agents that live on. Every one throws `unknown_id` for an agent that does not live. */
export interface AgentOperations {
  readonly spawn: (source: ManifestSource, peer: Peer) => Promise<AgentId>;
  /**
   * A message to the agent. Waits for the answer where `wait` says so; without it an on-demand agent is waited for, and one that lives
   * on is not. When the signal aborts the agent still answers, to nobody.
   */
  readonly run: (
    id: AgentId,
    message: string,
    wait: boolean | undefined,
    peer: Peer,
    signal: AbortSignal,
  ) => Promise<Sent>;
  /** A new agent for one message; it is there afterwards. Refuses a manifest that lives on by itself. */
  readonly spawnAndRun: (
    source: ManifestSource,
    message: string,
    peer: Peer,
    signal: AbortSignal,
  ) => Promise<AgentReport>;
  readonly pause: (id: AgentId, peer: Peer) => Promise<void>;
  readonly resume: (id: AgentId, peer: Peer) => Promise<void>;
  /** What was said to it before no longer counts; the transcript keeps it. */
  readonly clear: (id: AgentId, peer: Peer) => Promise<void>;
  /** One call of a tool with the agent's own tokens, by the way that its model's calls take. */
  readonly invoke: (
    id: AgentId,
    tool: string,
    input: Json,
    signal: AbortSignal,
  ) => Promise<ToolResult>;
  /** Throws where the clock could send no message to this agent: it is neither living nor in the catalog. */
  readonly checkAddressee: (agent: string, peer: Peer) => void;
  /**
   * A message by the clock to the agent of that id, or to the owner's of that name; where none lives, to a new one of the manifest of
   * that name. `unavailable` while an earlier one still lies in its mailbox.
   */
  readonly deliver: (
    agent: string,
    message: string,
    peer: Peer,
    beside: (to: AgentId) => readonly NewEvent[],
  ) => Promise<void>;
  readonly isLiving: (id: AgentId) => boolean;
  /** What of its own budget is used; nothing for one that does not live on. */
  readonly budgets: (id: AgentId) => readonly BudgetLine[];
}

const SCHEDULE = "schedule";
/** Nobody waits longer than this for an answer. */
const MAX_WAIT_MS = 86_400_000;

export function operateAgents(agents: Agents, place: WorkPlace): AgentOperations {
  const { deps, answers } = place;
  const spec = (source: ManifestSource): AgentSpec => specOf(source, place);
  const found = (id: AgentId): Living => findLiving(agents, id);
  const letter = (text: string, method: string, peer: Peer) => ({
    ...{ text, method, from: actorOf(peer) },
  });
  const ask = async (one: Living, message: string, peer: Peer, signal: AbortSignal) => {
    const trace_id = await agents.post(one, letter(message, "agent.run", peer));
    const waited = await answers.wait(trace_id, MAX_WAIT_MS, signal);
    if (waited.ok) return { trace_id, report: waited.report };
    throw new AgentdError("unavailable", "run agent", `the agent has not answered: ${waited.why}`);
  };
  return {
    spawn: async (source, peer) => (await agents.spawn(spec(source), peer)).id,
    run: async (id, message, wait, peer, signal) => {
      const one = found(id);
      if (wait ?? one.lifecycle === "on-demand") return ask(one, message, peer, signal);
      return { trace_id: await agents.post(one, letter(message, "agent.run", peer)) };
    },
    spawnAndRun: async (source, message, peer, signal) => {
      const wanted = spec(source);
      const { lifecycle } = wanted.manifest;
      if (lifecycle !== "on-demand")
        throw new AgentdError("usage", "spawn and run", `${wanted.name} is ${lifecycle}`, {
          hint: "Spawn it with agent.spawn and send it messages with agent.run.",
        });
      const one = await agents.spawn(wanted, peer);
      return (await ask(one, message, peer, signal)).report;
    },
    pause: (id, peer) => agents.move(found(id), "pause", peer),
    resume: (id, peer) => agents.move(found(id), "resume", peer),
    clear: (id, peer) => agents.clear(found(id), peer),
    invoke: (id, tool, input, signal) => invoke(found(id), { tool, input }, place, signal),
    checkAddressee: (agent, peer) => {
      if (addressee(agents, agent, peer) === undefined) findSpec(agent, deps);
    },
    deliver: async (agent, message, peer, beside) => {
      const one =
        addressee(agents, agent, peer) ?? (await agents.spawn(findSpec(agent, deps), peer));
      if (deps.reader.mail(one.id).some(({ method }) => method === SCHEDULE))
        throw new AgentdError("unavailable", "send", `the message before still waits for ${agent}`);
      await agents.post(one, letter(message, SCHEDULE, peer), beside(one.id));
    },
    isLiving: (id) => agents.get(id) !== undefined,
    budgets: (id) => {
      const account = agents.get(id)?.account;
      return account === undefined ? [] : budgetLines(account, deps.entropy.now());
    },
  };
}

/**
 * Whom a schedule means: an id was looked up in its owner's name when the schedule was added; a name means one of the owner's own
 * agents. Throws `ambiguous_id`.
 */
function addressee(agents: Agents, text: string, { uid }: Peer): Living | undefined {
  const byId = agents.get(text as AgentId);
  if (byId !== undefined) return byId;
  const [first, ...others] = agents.named(text).filter(({ owner_uid }) => owner_uid === uid);
  if (others.length === 0) return first;
  throw new AgentdError(
    "ambiguous_id",
    "find agent",
    `${others.length + 1} agents are called ${text}`,
    {
      hint: "Name the one that is meant by its id.",
    },
  );
}

function specOf({ manifest, manifest_path }: ManifestSource, { deps }: WorkPlace): AgentSpec {
  if (manifest !== undefined) return findSpec(manifest, deps);
  for (const [name, { file }] of deps.manifests()) {
    if (file === manifest_path) return findSpec(name, deps);
  }
  throw new AgentdError(
    "unknown_manifest",
    "read manifest",
    `${manifest_path ?? "nothing"} is no file of the catalog`,
    { hint: "Give the manifest's text, or put the file into /etc/aaos/manifests." },
  );
}

/** A call that an operator makes in the agent's place: checked, journaled and confined as any of its own. */
async function invoke(
  one: Living,
  { tool, input }: { readonly tool: string; readonly input: Json },
  { deps, shared }: WorkPlace,
  signal: AbortSignal,
): Promise<ToolResult> {
  const home = homeOf(one, deps, shared);
  const born = { id: one.id, name: one.spec.name, spawned_seq: one.spawned_seq };
  const agent = one.live ?? takeUpAgent(home, born);
  const until = AbortSignal.any([signal, one.stop.signal]);
  try {
    const request = { id: `invoke-${ulid(deps.entropy)}`, name: tool, input };
    const { result, tell } = await callTool(agent, request, toolCallDeps(agent.home), until);
    await tell();
    return result;
  } finally {
    if (one.live !== agent) await agent.letGo();
  }
}
