import type { KeyObject } from "node:crypto";
import { type EventRow, envelopeOf } from "../store/event-queries.js";
import { requireSchema } from "../store/migrate.js";
import { type Database, openDatabase } from "../store/open.js";
import { storeError } from "../store/sqlite-error.js";
import { type ChainHead, GENESIS, linkHash, payloadDigest } from "./chain.js";
import { headPaths, isSignedBy, readHeads, readKey } from "./heads.js";
import { erasureCheck } from "./verify-erasures.js";
import { projectionCheck } from "./verify-projections.js";
import type { SignedHead } from "./writer-protocol.js";

/** After so many the journal is a ruin; the rest is not listed. */
const MAX_PROBLEMS = 100;
/** A journal that covers more time than this without any signed head has lost them: the writer signs each second. */
const UNSIGNED_MS = 60_000;

interface VerifyProblem {
  /** The event concerned; 0 where it is none. */
  readonly seq: number;
  readonly problem: string;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly events: number;
  /** Events whose content was erased on purpose; their place in the chain was verified. */
  readonly erased: number;
  readonly problems: readonly VerifyProblem[];
  /** The end of the chain; null for an empty journal. Compare it with the heads in the system journal. */
  readonly head: ChainHead | null;
  /** The last head that the machine's key signed. */
  readonly signed_head: SignedHead | null;
}

type Report = (seq: number, problem: string) => void;

/**
 * Reads the whole journal in one snapshot, while a daemon may go on writing, and finds every row that was changed, removed, inserted or put
 * elsewhere, a tail that was cut, a head that was not signed by this machine, and tables that say other than the events do. `witnessed`
 * are heads from elsewhere, such as the system journal. Memory stays flat. Slow for a large journal: see `verifyOffLoop`.
 */
export function verifyJournal(path: string, witnessed: readonly SignedHead[] = []): VerifyReport {
  const { problems, report } = problemList();
  // Heads first: a head that is signed later than the snapshot was taken would look like a cut tail.
  const heads = [...signedHeads(path, report), ...witnessed];
  const db = openDatabase(path, { readonly: true });
  try {
    requireSchema(db, path);
    db.exec("BEGIN");
    const chain = verifyChain(db, heads, report);
    return {
      ok: problems.length === 0,
      events: chain.events,
      erased: chain.erased,
      problems,
      head: chain.head.seq === 0 ? null : chain.head,
      signed_head: heads.reduce<SignedHead | null>(
        (last, head) => (last === null || head.seq >= last.seq ? head : last),
        null,
      ),
    };
  } catch (thrown) {
    throw storeError("verify journal", path, thrown);
  } finally {
    db.close();
  }
}

function problemList(): { readonly problems: readonly VerifyProblem[]; readonly report: Report } {
  const problems: VerifyProblem[] = [];
  return {
    problems,
    report: (seq, problem) => {
      if (problems.length < MAX_PROBLEMS) problems.push({ seq, problem });
      else if (problems.length === MAX_PROBLEMS)
        problems.push({ seq, problem: "more problems follow, which are not listed" });
    },
  };
}

/** The heads on file whose signature is the machine's. */
function signedHeads(path: string, report: Report): readonly SignedHead[] {
  const paths = headPaths(path);
  const lines = readHeads(paths.heads);
  const key = readKey(paths.key);
  if (key === undefined && lines.length > 0)
    report(0, `the key ${paths.key} is missing: no head can be verified`);
  const good: SignedHead[] = [];
  for (const [index, head] of lines.entries()) {
    if (head === undefined) report(0, `line ${index + 1} of the signed heads is malformed`);
    else if (!isGenuine(key, head)) report(head.seq, "its signed head has a false signature");
    else good.push(head);
  }
  return good;
}

function isGenuine(key: KeyObject | undefined, head: SignedHead): boolean {
  return key === undefined || isSignedBy(key, head);
}

interface ChainResult {
  readonly events: number;
  readonly erased: number;
  readonly head: ChainHead;
}

function verifyChain(db: Database, heads: readonly SignedHead[], report: Report): ChainResult {
  const hashAt = new Map(heads.map((head) => [head.seq, head.hash]));
  const erasures = erasureCheck(db);
  using projections = projectionCheck(db, report);
  let last: ChainHead = GENESIS;
  let events = 0;
  let erased = 0;
  let firstTime = "";
  let lastTime = "";
  const rows = db.prepare<[], EventRow>("SELECT * FROM events ORDER BY seq").iterate();
  for (const row of rows) {
    verifyRow(row, last, report);
    const signed = hashAt.get(row.seq);
    if (signed !== undefined && signed !== row.hash)
      report(row.seq, "the machine signed another hash for this event");
    if (row.payload === null) {
      erased += 1;
      if (!erasures.covers(row)) report(row.seq, "its content is gone, and no event says why");
    }
    projections.replay(row);
    last = { seq: row.seq, hash: row.hash };
    if (events === 0) firstTime = row.time;
    lastTime = row.time;
    events += 1;
  }
  verifyEnd(last, heads, Date.parse(lastTime) - Date.parse(firstTime), report);
  projections.compare();
  return { events, erased, head: last };
}

/** One row against the one before it and against its own hash. The row's hash stands for the next link, so that one change is told once. */
function verifyRow(row: EventRow, last: ChainHead, report: Report): void {
  if (row.seq < 1) report(row.seq, "it was inserted before the first event");
  else if (row.seq > last.seq + 1)
    report(row.seq, `before it ${missing(last.seq + 1, row.seq - 1)}`);
  if (row.prev_hash !== last.hash)
    report(row.seq, "it does not follow the event before it: rows were removed, inserted or moved");
  if (linkHash(row.prev_hash, envelopeOf(row), row.payload_digest) !== row.hash)
    report(row.seq, "its envelope was changed: the hash does not match");
  if (row.payload !== null && payloadDigest(row.salt ?? "", row.payload) !== row.payload_digest)
    report(row.seq, "its content was changed: the digest does not match");
}

function missing(from: number, to: number): string {
  return from === to ? `event ${from} is missing` : `events ${from} to ${to} are missing`;
}

function verifyEnd(
  last: ChainHead,
  heads: readonly SignedHead[],
  spanMs: number,
  report: Report,
): void {
  const signed = heads.reduce((seq, head) => Math.max(seq, head.seq), 0);
  if (signed > last.seq)
    report(
      signed,
      `the journal ends with event ${last.seq}, but event ${signed} was signed: its tail was cut`,
    );
  if (heads.length === 0 && spanMs > UNSIGNED_MS)
    report(last.seq, "no signed head is on file: a cut tail could not be seen");
}
