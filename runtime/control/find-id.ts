import type { Memory } from "../memory/memory.js";
import { AgentdError } from "../protocol/agentd-error.js";
import { ApprovalId } from "../protocol/approval.js";
import type { AuditFilter } from "../protocol/control.js";
import { AgentId, RunId, ScheduleId } from "../protocol/ids.js";
import type { StoreReader } from "../store/reader.js";

const MAX_CANDIDATES = 10;

/** The one run that the query means. Throws `unknown_id`, or `ambiguous_id` naming the candidates. */
export function findRun(reader: StoreReader, query: string): RunId {
  return RunId.parse(only("run", query, reader.matchRun(query)));
}

/** The one agent that the query means; throws as `findRun` does. */
export function findAgent(reader: StoreReader, query: string): AgentId {
  return AgentId.parse(only("agent", query, reader.matchAgent(query)));
}

/** The one memory that the query means; throws as `findRun` does. */
export function findMemory(memory: Pick<Memory, "match">, query: string): string {
  return only("memory", query, memory.match(query));
}

/** The one schedule that the query means; throws as `findRun` does. */
export function findSchedule(reader: StoreReader, query: string): ScheduleId {
  return ScheduleId.parse(only("schedule", query, reader.matchSchedule(query)));
}

/** The one approval that the query means; throws as `findRun` does. */
export function findApproval(reader: StoreReader, query: string): ApprovalId {
  return ApprovalId.parse(only("approval", query, reader.matchApproval(query)));
}

/** What shows the ids that there are. */
const LISTS = {
  run: "`agentd list --all` shows every run.",
  agent: "`agentd list --all` shows every agent.",
  approval: "`agentd approvals` shows what waits.",
  memory: "`agentd memory list` shows every memory.",
  schedule: "`agentd schedule list --all` shows every schedule.",
} as const;

function only(noun: keyof typeof LISTS, query: string, found: readonly string[]): string {
  const [first, ...rest] = found;
  if (first === undefined) {
    const hint = LISTS[noun];
    throw new AgentdError("unknown_id", `find ${noun}`, `no ${noun} matches ${quote(query)}`, {
      hint,
    });
  }
  if (rest.length === 0) return first;
  const more = found.length > MAX_CANDIDATES ? ` and ${found.length - MAX_CANDIDATES} more` : "";
  throw new AgentdError(
    "ambiguous_id",
    `find ${noun}`,
    `${quote(query)} matches ${found.length} ${noun === "memory" ? "memories" : `${noun}s`}: ${found.slice(0, MAX_CANDIDATES).join(", ")}${more}`,
  );
}

function quote(query: string): string {
  return JSON.stringify(query);
}

/** A filter with its ids made whole. */
export function resolveFilter(reader: StoreReader, filter: AuditFilter): AuditFilter {
  return {
    ...filter,
    ...(filter.run_id === undefined ? {} : { run_id: findRun(reader, filter.run_id) }),
    ...(filter.agent_id === undefined ? {} : { agent_id: findAgent(reader, filter.agent_id) }),
  };
}
