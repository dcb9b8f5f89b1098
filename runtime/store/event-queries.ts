import type { AuditEvent, ErasedEvent } from "../protocol/event.js";
import type { Database } from "./open.js";
import type { EventFilter } from "./reader.js";

/** A row of `events`, as it lies in the table. */
export interface EventRow {
  readonly seq: number;
  readonly id: string;
  readonly time: string;
  readonly run_id: string | null;
  readonly step_id: string | null;
  readonly agent_id: string | null;
  readonly parent: number | null;
  readonly actor: string;
  readonly kind: string;
  readonly payload_digest: string;
  readonly prev_hash: string;
  readonly hash: string;
  readonly salt: string | null;
  readonly payload: string | null;
}

type Read<T> = (parameters: Readonly<Record<string, unknown>>) => readonly T[];

/** Events that match every part of the filter, in the order of `seq`, or newest first where it says `reverse`. */
export function eventQueries(db: Database): {
  readonly events: (filter: EventFilter) => readonly (AuditEvent | ErasedEvent)[];
} {
  const prepared = new Map<string, Read<EventRow>>();
  const bound = {
    since: db.prepare<[string], { seq: number | null }>(
      "SELECT min(seq) AS seq FROM events WHERE time >= ?",
    ),
    until: db.prepare<[string], { seq: number | null }>(
      "SELECT max(seq) AS seq FROM events WHERE time <= ?",
    ),
  };

  const statement = (sql: string): Read<EventRow> => {
    const known = prepared.get(sql);
    if (known !== undefined) return known;
    const made = db.prepare<[Readonly<Record<string, unknown>>], EventRow>(sql);
    const read: Read<EventRow> = (parameters) => made.all(parameters);
    prepared.set(sql, read);
    return read;
  };

  /** Times become bounds of `seq` first, by their index alone, so that the table is never searched for a time. */
  const seqBound = (which: "since" | "until", time: string | undefined): number | undefined => {
    if (time === undefined) return undefined;
    return bound[which].get(time)?.seq ?? Number.NaN;
  };

  return {
    events: (filter) => {
      const since = utc(filter.since);
      const until = utc(filter.until);
      const from = seqBound("since", since);
      const to = seqBound("until", until);
      if (Number.isNaN(from) || Number.isNaN(to)) return [];
      const parameters = defined({
        after_seq: Math.max(filter.after_seq, (from ?? 1) - 1),
        limit: filter.limit,
        to,
        since,
        until,
        run_id: filter.run_id,
        agent_id: filter.agent_id,
        owner_uid: filter.owner_uid,
        kinds: filter.kind === undefined ? undefined : JSON.stringify(filter.kind),
      });
      const conditions = Object.keys(parameters).flatMap((key) => CONDITIONS[key] ?? []);
      const order = filter.reverse ? "DESC" : "ASC";
      const read = statement(
        `SELECT * FROM events WHERE ${conditions.join(" AND ")} ORDER BY seq ${order} LIMIT @limit`,
      );
      return read(parameters).map(toEvent);
    },
  };
}

function defined(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}

const CONDITIONS: Readonly<Record<string, string>> = {
  after_seq: "seq > @after_seq",
  to: "seq <= @to",
  since: "time >= @since",
  until: "time <= @until",
  run_id: "run_id = @run_id",
  agent_id: "agent_id = @agent_id",
  owner_uid: `(run_id IN (SELECT run_id FROM runs WHERE owner_uid = @owner_uid)
    OR run_id IS NULL AND agent_id IN (SELECT agent_id FROM agents WHERE owner_uid = @owner_uid))`,
  kinds: "kind IN (SELECT value FROM json_each(@kinds))",
};

/** Stored times are UTC with milliseconds, so that they sort as text. */
function utc(time: string | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}

/** The event as clients see it: envelope and fields side by side; `erased` where the content is gone. */
export function toEvent(row: EventRow): AuditEvent | ErasedEvent {
  const envelope = envelopeOf(row);
  if (row.payload === null) return { ...envelope, erased: true } as ErasedEvent;
  return { ...envelope, ...(JSON.parse(row.payload) as object) } as AuditEvent;
}

/** What the hash covers beside the payload's digest. A part that is not set has no key. */
export function envelopeOf(row: EventRow): Readonly<Record<string, string | number>> {
  return {
    seq: row.seq,
    id: row.id,
    time: row.time,
    ...(row.run_id === null ? {} : { run_id: row.run_id }),
    ...(row.step_id === null ? {} : { step_id: row.step_id }),
    ...(row.agent_id === null ? {} : { agent_id: row.agent_id }),
    ...(row.parent === null ? {} : { parent: row.parent }),
    actor: row.actor,
    kind: row.kind,
  };
}
