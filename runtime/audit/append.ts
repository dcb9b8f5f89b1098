import { AgentdError } from "../protocol/agentd-error.js";
import { type AuditEvent, EventBody, EventContext } from "../protocol/event.js";
import type { Database } from "../store/open.js";
import { storeError } from "../store/sqlite-error.js";
import { type ChainHead, canonicalJson, GENESIS, linkHash, payloadDigest } from "./chain.js";
import { projector } from "./project/project-event.js";
import { type AppendOutcome, type PreparedEvent, toRecord } from "./writer-protocol.js";

const OP = "append event";

export interface Appender {
  /**
   * Writes all appends in one transaction, one sync. Each is atomic: one that is illegal is rejected alone and changes nothing. If
   * the transaction cannot be committed, all of them are rejected and nothing of them remains. Never throws.
   */
  readonly append: (appends: readonly (readonly PreparedEvent[])[]) => readonly AppendOutcome[];
  readonly head: () => ChainHead;
}

/** The one place where events and their projections are written: both in the same transaction. `db` is the write connection. */
export function appender(db: Database, path: string): Appender {
  const transaction = transactionStatements(db);
  const head = chainHead(db);
  const writeEvent = eventWriter(db);

  const appendOne = (events: readonly PreparedEvent[], from: ChainHead): ChainHead => {
    let last = from;
    for (const event of events) last = writeEvent(event, last);
    return last;
  };

  const appendAll = (appends: readonly (readonly PreparedEvent[])[]): AppendOutcome[] => {
    transaction.begin.run();
    let last = head();
    const outcomes: AppendOutcome[] = [];
    for (const events of appends) {
      transaction.savepoint.run();
      try {
        const next = appendOne(events, last);
        outcomes.push({ ok: true, first_seq: last.seq + 1 });
        last = next;
      } catch (thrown) {
        // A full disk may have ended the whole transaction; then nothing of the batch stands.
        if (!db.inTransaction) throw thrown;
        transaction.rollbackTo.run();
        outcomes.push({ ok: false, error: toRecord(storeError(OP, path, thrown)) });
      }
      transaction.release.run();
    }
    transaction.commit.run();
    return outcomes;
  };

  return {
    head,
    append: (appends) => {
      try {
        return appendAll(appends);
      } catch (thrown) {
        if (db.inTransaction) transaction.rollback.run();
        const error = toRecord(storeError(OP, path, thrown));
        return appends.map(() => ({ ok: false, error }));
      }
    },
  };
}

/** Where the chain stands in the database. */
function chainHead(db: Database): () => ChainHead {
  const last = db.prepare<[], ChainHead>("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1");
  return () => last.get() ?? GENESIS;
}

function transactionStatements(db: Database) {
  return {
    begin: db.prepare("BEGIN IMMEDIATE"),
    savepoint: db.prepare("SAVEPOINT one_append"),
    rollbackTo: db.prepare("ROLLBACK TO one_append"),
    release: db.prepare("RELEASE one_append"),
    commit: db.prepare("COMMIT"),
    rollback: db.prepare("ROLLBACK"),
  };
}

/** Writes one event behind `last` with what it projects to, and returns the new head. */
function eventWriter(db: Database): (prepared: PreparedEvent, last: ChainHead) => ChainHead {
  const project = projector(db);
  const insert = db.prepare(
    `INSERT INTO events (seq, id, time, run_id, step_id, agent_id, parent, actor, kind,
       payload_digest, prev_hash, hash, salt, payload)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  return ({ id, time, salt, event }, last) => {
    const { run_id, step_id, agent_id, parent, actor, ...body } = event;
    const context = parsed(EventContext, { run_id, step_id, agent_id, parent, actor }, body.kind);
    const { kind, ...fields } = parsed(EventBody, body, body.kind);
    const payload = canonicalJson(fields);
    const digest = payloadDigest(salt, payload);
    const seq = last.seq + 1;
    const hash = linkHash(last.hash, withoutUndefined({ seq, id, time, ...context, kind }), digest);
    insert.run(
      seq,
      id,
      time,
      run_id ?? null,
      step_id ?? null,
      agent_id ?? null,
      parent ?? null,
      actor,
      kind,
      digest,
      last.hash,
      hash,
      salt,
      payload,
    );
    project({ ...context, seq, id, time, kind, ...fields } as AuditEvent);
    return { seq, hash };
  };
}

interface Schema<T> {
  readonly safeParse: (
    value: unknown,
  ) =>
    | { readonly success: true; readonly data: T }
    | { readonly success: false; readonly error: { readonly message: string } };
}

/** What the journal holds has the shape that the catalogue of kinds says, whatever a caller's types promised. */
function parsed<T>(schema: Schema<T>, value: unknown, kind: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new AgentdError("internal", OP, `${kind} is malformed: ${result.error.message}`);
}

function withoutUndefined(
  envelope: Readonly<Record<string, string | number | undefined>>,
): Record<string, string | number> {
  const clean: Record<string, string | number> = {};
  for (const [key, value] of Object.entries(envelope)) if (value !== undefined) clean[key] = value;
  return clean;
}
