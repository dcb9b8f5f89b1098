import { AgentdError } from "../protocol/agentd-error.js";
import type { Caller } from "../protocol/caller.js";
import type { AgentSummary } from "../protocol/control.js";
import type { MemoryQueries } from "../store/memory-queries.js";
import type { ApprovalDetail, StoreReader } from "../store/reader.js";
import type { ControlDeps } from "./deps.js";

/**
 * What a caller may see: an admin everything, anybody else the runs they submitted, with the agents and events of those. All
 * handlers of a connection read through this, so that none has to think of it. Part by part and never spread: a new query of the
 * reader is decided here, or does not compile.
 */
export function visibleTo(caller: Caller, deps: ControlDeps): ControlDeps {
  if (caller.admin) return deps;
  const reader = visibleReader(caller.uid, deps.reader);
  const isMine = ownedBy(caller.uid, deps.reader);
  const isMyAgent = (id: string) => reader.agent(id) !== undefined;
  return {
    ...deps,
    reader,
    subscribe: (listener) =>
      deps.subscribe((events) => {
        const own = events.filter(({ run_id, agent_id }) =>
          run_id === undefined ? agent_id !== undefined && isMyAgent(agent_id) : isMine(run_id),
        );
        if (own.length > 0) listener(own);
      }),
  };
}

function visibleReader(uid: number | null, reader: StoreReader): StoreReader {
  const isMine = ownedBy(uid, reader);
  // An agent of a run is whose the run is; one that lives on its own has an owner of its own.
  const isMyOwn = ({ run_id, owner_uid }: Pick<AgentSummary, "run_id" | "owner_uid">) =>
    run_id === null ? isOwner(uid, owner_uid) : isMine(run_id);
  const isMyAgent = (id: string) => {
    const agent = reader.agent(id);
    return agent !== undefined && isMyOwn(agent);
  };
  const isMySchedule = (id: string) => isOwner(uid, reader.schedule(id)?.owner_uid);
  const isMineToAnswer = ({ run_id, agent_id }: Pick<ApprovalDetail, "run_id" | "agent_id">) =>
    run_id === null ? agent_id !== null && isMyAgent(agent_id) : isMine(run_id);
  const isMyApproval = (id: string) => {
    const approval = reader.approval(id);
    return approval !== undefined && isMineToAnswer(approval);
  };
  return {
    runs: (options) => reader.runs(options).filter(({ owner_uid }) => isOwner(uid, owner_uid)),
    run: (id) => (isMine(id) ? reader.run(id) : undefined),
    runsEndedBefore: (time, limit) => reader.runsEndedBefore(time, limit).filter(isMine),
    agents: (options) => reader.agents(options).filter(isMyOwn),
    agent: (id) => (isMyAgent(id) ? reader.agent(id) : undefined),
    mail: (id) => (isMyAgent(id) ? reader.mail(id) : []),
    manifestOf: (id) => (isMyAgent(id) ? reader.manifestOf(id) : undefined),
    matchRun: (query) => ownAlone("run", query, reader.matchRun(query), isMine),
    matchAgent: (query) => ownAlone("agent", query, reader.matchAgent(query), isMyAgent),
    approvals: (query) => reader.approvals(query).filter(isMineToAnswer),
    approval: (id) => (isMyApproval(id) ? reader.approval(id) : undefined),
    matchApproval: (query) =>
      ownAlone("approval", query, reader.matchApproval(query), isMyApproval),
    schedules: (options) =>
      reader.schedules(options).filter(({ owner_uid }) => isOwner(uid, owner_uid)),
    schedule: (id) => (isMySchedule(id) ? reader.schedule(id) : undefined),
    matchSchedule: (query) =>
      ownAlone("schedule", query, reader.matchSchedule(query), isMySchedule),
    events: (filter) => (uid === null ? [] : reader.events({ ...filter, owner_uid: uid })),
    ...NO_MEMORIES,
    ownerOf: (runId) => (isMine(runId) ? uid : undefined),
    close: () => {},
  };
}

/** Agents of one identity share a memory, whoever's runs they carry out: it is nobody's own. */
const NO_MEMORIES: MemoryQueries = {
  memories: () => [],
  memory: () => undefined,
  matchMemory: () => [],
  memoryCount: () => 0,
  leastUsed: () => [],
  unusedSince: () => [],
  memoryOwners: () => [],
};

function isOwner(uid: number | null, owner: number | null | undefined): boolean {
  return uid !== null && owner === uid;
}

/** Owners never change, so each run is looked up once. */
function ownedBy(uid: number | null, reader: StoreReader): (runId: string) => boolean {
  const known = new Map<string, boolean>();
  return (runId) => {
    const before = known.get(runId);
    if (before !== undefined) return before;
    const owner = reader.ownerOf(runId);
    const mine = isOwner(uid, owner);
    if (owner !== undefined) known.set(runId, mine);
    return mine;
  };
}

/** The caller's own matches; where the only ones are somebody else's, that is said instead of "no such run". */
function ownAlone(
  noun: "run" | "agent" | "schedule" | "approval",
  query: string,
  found: readonly string[],
  isMine: (id: string) => boolean,
): readonly string[] {
  const own = found.filter(isMine);
  if (own.length > 0 || found.length === 0) return own;
  throw new AgentdError(
    "not_permitted",
    `find ${noun}`,
    `${JSON.stringify(query)} belongs to another user`,
    {
      hint: "Ask its owner or an operator in group aaos-admin, or join it: `sudo adduser $USER aaos-admin`, then log in again.",
    },
  );
}
