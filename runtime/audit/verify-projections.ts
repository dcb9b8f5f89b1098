import { errorText } from "../base/error-text.js";
import { oneLine } from "../base/text.js";
import type { AuditEvent } from "../protocol/event.js";
import { type EventRow, toEvent } from "../store/event-queries.js";
import type { Database } from "../store/open.js";
import { scratchDatabase } from "../store/scratch.js";
import { isProjected, projector } from "./project/project-event.js";

type Row = Readonly<Record<string, string | number | null>>;

/** Each table in the order of its key, with the run that a row belongs to as `of_run`. */
const TABLES = {
  runs: "SELECT *, run_id AS of_run FROM runs ORDER BY run_id",
  steps: "SELECT *, run_id AS of_run FROM steps ORDER BY run_id, step_id",
  outputs: "SELECT *, run_id AS of_run FROM outputs ORDER BY run_id, step_id, position",
  agents: "SELECT *, run_id AS of_run FROM agents ORDER BY agent_id",
  tokens:
    "SELECT t.*, a.run_id AS of_run FROM tokens t JOIN agents a USING (agent_id) ORDER BY token_id",
  approvals: "SELECT *, run_id AS of_run FROM approvals ORDER BY approval_id",
  mailbox:
    "SELECT m.*, a.run_id AS of_run FROM mailbox m JOIN agents a USING (agent_id) ORDER BY received_seq",
  memories: "SELECT *, '' AS of_run FROM memories ORDER BY memory_id",
  schedules: "SELECT *, NULL AS of_run FROM schedules ORDER BY schedule_id",
} as const;

interface ProjectionCheck extends Disposable {
  readonly replay: (row: EventRow) => void;
  /** After the last event: reports each table whose rows differ from what the events make of it. */
  readonly compare: () => void;
}

/**
 * Replays the events into an empty database through the very code that wrote the tables, and compares. Runs of which content was
 * erased that tables are made of cannot be replayed and are left out. Memories belong to no run: one that was erased is gone from
 * its table too, so the others are compared all the same.
 */
export function projectionCheck(
  db: Database,
  report: (seq: number, problem: string) => void,
): ProjectionCheck {
  const scratch = scratchDatabase();
  scratch.exec("BEGIN");
  const project = projector(scratch);
  const unreplayable = new Set<string | null>();
  let memoryErased = false;
  /** What a replay can do without: what changes no table, and memories, which are gone from theirs. */
  const skipErased = (row: EventRow): void => {
    if (isMemory(row)) memoryErased = true;
    else if (isProjected(row.kind)) unreplayable.add(row.run_id);
  };
  const fail = (row: EventRow, thrown: unknown): void => {
    if (memoryErased && row.kind === "memory_deleted") return;
    report(row.seq, `it cannot have happened: ${errorText(thrown)}`);
    unreplayable.add(row.run_id);
  };
  return {
    replay: (row) => {
      if (row.payload === null) {
        skipErased(row);
        return;
      }
      if (!isMemory(row) && unreplayable.has(row.run_id)) return;
      try {
        const event = toEvent(row) as AuditEvent;
        project(isMemory(row) ? withoutRun(event) : event);
      } catch (thrown) {
        fail(row, thrown);
      }
    },
    compare: () => {
      for (const [table, sql] of Object.entries(TABLES)) {
        const stored = comparable(db.prepare<[], Row>(sql).iterate(), unreplayable);
        const replayed = comparable(scratch.prepare<[], Row>(sql).iterate(), unreplayable);
        const difference = firstDifference(stored, replayed);
        if (difference !== undefined)
          report(0, `table ${table} is not what the events say: ${difference}`);
      }
    },
    [Symbol.dispose]: () => {
      scratch.close();
    },
  };
}

function isMemory({ kind }: EventRow): boolean {
  return kind.startsWith("memory_");
}

function withoutRun({ run_id: _run, ...event }: AuditEvent): AuditEvent {
  return event as AuditEvent;
}

/** What differs in the first row, in the order of the keys, that the two sides do not have alike. */
function firstDifference(stored: Generator<Row>, replayed: Generator<Row>): string | undefined {
  try {
    for (;;) {
      const [a, b] = [stored.next(), replayed.next()];
      if (a.done === true && b.done === true) return undefined;
      if (a.done === true) return `a row is missing: ${shown(b.value)}`;
      if (b.done === true) return `a row is too many: ${shown(a.value)}`;
      const column = Object.keys(a.value).find((key) => a.value[key] !== b.value[key]);
      if (column !== undefined)
        return `${column} is ${shown(a.value[column])}, replayed ${shown(b.value[column])}, in ${shown(a.value)}`;
    }
  } finally {
    stored.return(undefined);
    replayed.return(undefined);
  }
}

function* comparable(rows: Iterable<Row>, leftOut: ReadonlySet<string | null>): Generator<Row> {
  for (const row of rows) {
    if (!leftOut.has(row["of_run"] as string | null)) yield row;
  }
}

function shown(value: unknown): string {
  return oneLine(JSON.stringify(value), 200);
}
