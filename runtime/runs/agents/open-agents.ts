import { promises as fs } from "node:fs";
import { LetGo } from "../../agent/let-go.js";
import { type Entropy, ulid } from "../../base/ulid.js";
import type { AgentLifecycle } from "../../protocol/agent.js";
import { AgentdError } from "../../protocol/agentd-error.js";
import type { AgentSpec } from "../../protocol/agents-port.js";
import type { NewEvent } from "../../protocol/event.js";
import { AgentId } from "../../protocol/ids.js";
import { diskError, RunEnded } from "../failure.js";
import { actorOf, type Peer } from "../peer.js";
import { recorder } from "../record.js";
import { type EndReason, endOfAgent, spawnAgent } from "../spawn-agent.js";
import { selfContained } from "./agent-spec.js";
import { homeOf, type Living, openAgentAccount } from "./living.js";
import { type WorkPlace, workOff } from "./work.js";

/** A message on its way to an agent that lives on. */
export interface Letter {
  readonly text: string;
  readonly method: string;
  /** An agent's id, or the operator as the audit trail names it. */
  readonly from: string;
  readonly by?: AgentId;
}

/** The agents that live until they are stopped. */
export interface Agents {
  readonly get: (id: AgentId) => Living | undefined;
  readonly named: (name: string) => readonly Living[];
  /** Durable when it returns: the agent is there, after a restart too. */
  readonly spawn: (spec: AgentSpec, peer: Peer) => Promise<Living>;
  readonly adopt: (living: Living) => void;
  /** All that have mail, or a message before them, go on. */
  readonly wakeAll: () => void;
  /** The message lies in the mailbox when it returns its id. Throws `unavailable` where that is full. */
  readonly post: (living: Living, letter: Letter, beside?: readonly NewEvent[]) => Promise<string>;
  readonly move: (living: Living, move: "pause" | "resume", peer: Peer) => Promise<void>;
  /** Ends it; returns when nothing of it is left. */
  readonly stop: (living: Living, peer: Peer) => Promise<void>;
  /** What was said to it before no longer counts. */
  readonly clear: (living: Living, peer: Peer) => Promise<void>;
  /** Lets go of all: first at the next turn or call, then at once. */
  readonly rest: () => void;
  readonly close: () => Promise<void>;
}

/** `place` is where operators' orders are carried out, `work` where the agents' own work is. */
export function openAgents(place: WorkPlace, work: WorkPlace): Agents {
  const { deps, answers } = place;
  const living = new Map<AgentId, Living>();

  const wake = (one: Living): void => {
    if (one.loop !== undefined || one.paused) return;
    one.loop = workOff(one, work).then((isDone) => {
      one.loop = undefined;
      // What arrived while the last look found nothing.
      if (isDone && deps.reader.mail(one.id).length > 0) wake(one);
    });
  };
  const adopt = (one: Living): void => {
    living.set(one.id, one);
    wake(one);
  };

  return {
    get: (id) => living.get(id),
    named: (name) => [...living.values()].filter(({ spec }) => spec.name === name),
    adopt,
    wakeAll: () => {
      for (const one of living.values()) wake(one);
    },
    spawn: async (spec, peer) => {
      const one = await born(spec, peer, place);
      adopt(one);
      return one;
    },
    post: async (one, letter, beside = []) => {
      const trace_id = await post(one, letter, beside, place);
      wake(one);
      return trace_id;
    },
    move: async (one, move, peer) => {
      if (one.paused === (move === "pause")) return;
      const record = recorder(deps.journal, { agent_id: one.id, actor: actorOf(peer) });
      await record({ kind: "agent_moved", move });
      one.paused = move === "pause";
      if (one.paused) {
        one.rest.abort(new LetGo());
        await one.loop;
        return;
      }
      one.rest = new AbortController();
      wake(one);
    },
    stop: async (one, peer) => {
      one.stop.abort(new RunEnded("cancelled", `stopped by ${actorOf(peer)}`));
      await one.loop;
      if (!living.delete(one.id)) return;
      await place.shared.approvals.denyAll({ agent_id: one.id }, "the agent that asked has ended");
      const unread = deps.reader.mail(one.id).map(({ trace_id }) => trace_id);
      await deps.journal.append(farewell(one, place, "user_requested"));
      answers.drop(unread);
    },
    clear: async (one, peer) => {
      const { loop } = one;
      if (loop !== undefined)
        throw new AgentdError("illegal_transition", "clear session", "the agent is at work", {
          hint: "Pause it first with `agentd pause ID`, or wait until it has answered.",
        });
      const upto = transcriptLength(one, place);
      const record = recorder(deps.journal, { agent_id: one.id, actor: actorOf(peer) });
      await record({ kind: "session_cleared", upto });
    },
    rest: () => {
      for (const one of living.values()) one.rest.abort(new LetGo());
    },
    close: async () => {
      for (const one of living.values()) one.stop.abort(new LetGo());
      for (const { loop } of [...living.values()]) await loop;
    },
  };
}

/** How an agent begins to live, new or found in the journal. */
export function newLiving(
  id: AgentId,
  spec: AgentSpec,
  lifecycle: AgentLifecycle,
  { deps, shared }: Pick<WorkPlace, "deps" | "shared">,
  found: Pick<Living, "spawned_seq" | "paused" | "owner_uid">,
): Living {
  return {
    ...{ id, spec, lifecycle, ...found },
    account: openAgentAccount(id, spec, deps, shared),
    stop: new AbortController(),
    rest: new AbortController(),
    arriving: 0,
    answered: 0,
    loop: undefined,
    live: undefined,
  };
}

async function born(spec: AgentSpec, peer: Peer, place: WorkPlace): Promise<Living> {
  const { deps, shared } = place;
  const { lifecycle, model } = spec.manifest;
  const id = newAgentId(deps.entropy);
  const nothing = { spawned_seq: undefined, paused: false, owner_uid: peer.uid };
  const unborn = newLiving(id, spec, lifecycle, place, nothing);
  const home = homeOf(unborn, deps, shared);
  try {
    await fs.mkdir(home.dir, { recursive: true, mode: 0o770 });
  } catch (thrown) {
    throw diskError("spawn agent", `cannot make ${home.dir}`, thrown);
  }
  const agent = await spawnAgent(home, {
    id,
    name: spec.name,
    model: deps.models.resolve(model).model,
    grants: spec.grants,
    birth: { lifecycle, manifest: selfContained(spec), owner_uid: peer.uid },
  });
  await agent.letGo();
  const record = recorder(deps.journal, { agent_id: id, actor: "daemon" });
  await record({ kind: "agent_loop_started", lifecycle });
  return { ...unborn, spawned_seq: agent.spawned_seq };
}

function newAgentId(entropy: Entropy): AgentId {
  return AgentId.parse(ulid(entropy));
}

/** The mailbox is bounded: a sender is told at once when the agent cannot keep up. */
async function post(
  one: Living,
  { text, method, from, by }: Letter,
  beside: readonly NewEvent[],
  { deps }: WorkPlace,
): Promise<string> {
  const { mailbox } = deps.settings.agent;
  if (one.stop.signal.aborted) throw new AgentdError("unavailable", "send", "the agent is ending");
  if (deps.reader.mail(one.id).length + one.arriving >= mailbox)
    throw new AgentdError("unavailable", "send", `the mailbox of ${one.spec.name} is full`, {
      hint: `${mailbox} messages wait for it; send again when it has answered some.`,
    });
  const trace_id = ulid(deps.entropy);
  const to = one.id;
  one.arriving++;
  try {
    await deps.journal.append([
      ...(by === undefined
        ? []
        : [
            {
              kind: "message_sent" as const,
              ...{ agent_id: by, actor: "agent", from, to, trace_id },
            },
          ]),
      {
        kind: "agent_message_received",
        ...{ agent_id: to, actor: by === undefined ? from : "agent", trace_id, method, from, text },
      },
      ...beside,
    ]);
  } finally {
    one.arriving--;
  }
  return trace_id;
}

function farewell(
  one: Pick<Living, "id" | "spec" | "spawned_seq" | "answered">,
  { shared }: Pick<WorkPlace, "shared">,
  reason: EndReason,
  message?: string,
): readonly NewEvent[] {
  const { id, spec, spawned_seq } = one;
  return [
    {
      kind: "agent_loop_stopped",
      ...{ agent_id: id, actor: "daemon", reason, messages_processed: one.answered },
    },
    ...endOfAgent({ shared, of: {} }, { id, name: spec.name, spawned_seq }, reason, message),
  ];
}

function transcriptLength({ id }: Living, { deps }: WorkPlace): number {
  const filter = { agent_id: id, kind: ["message_appended"], after_seq: 0, limit: 1 };
  const [last] = deps.reader.events({ ...filter, reverse: true });
  if (last === undefined || "erased" in last || last.kind !== "message_appended") return 0;
  return last.index + 1;
}
