import type { Database } from "../store/open.js";
import type { Traces } from "./index-protocol.js";

interface Stored {
  readonly seq: number;
  readonly parent: number | null;
  readonly memory_id: string;
  readonly content: string;
  readonly replaces: string | null;
}

interface Candidate {
  readonly seq: number;
  readonly payload: string;
  readonly under_way: number;
}

/** Less than this is in too many events by chance. */
const TELLING_LENGTH = 12;
/** Previews are cut: so much of the beginning tells. */
const NEEDLE_LENGTH = 100;

/**
 * Where the journal holds memories: the events that stored them and all that they replaced, and what passed through the transcripts,
 * calls and results of agents whose runs have ended. Reads the whole journal once; nothing is changed.
 */
export function traceFinder(
  source: Database,
): (wanted: { readonly memory_ids: readonly string[]; readonly owner: string | null }) => Traces {
  const stored = source.prepare<[], Stored & { owner: string }>(
    `SELECT seq, parent, payload ->> 'memory_id' AS memory_id, payload ->> 'content' AS content,
       payload ->> 'replaces' AS replaces, payload ->> 'owner' AS owner
     FROM events WHERE kind = 'memory_stored' AND payload IS NOT NULL ORDER BY seq`,
  );
  const passed = source.prepare<[], Candidate>(
    `SELECT e.seq, e.payload, (e.run_id IS NULL OR r.ended_at IS NULL) AS under_way
     FROM events e LEFT JOIN runs r ON r.run_id = e.run_id
     WHERE e.kind IN ('message_appended', 'tool_invoked', 'tool_result', 'planner_reply')
       AND e.payload IS NOT NULL`,
  );
  return ({ memory_ids, owner }) => {
    const all = stored.all();
    const line = lineage(all, memory_ids);
    const meant = all.filter(
      (one) => line.has(one.memory_id) || (owner !== null && one.owner === owner),
    );
    const needles = [...new Set(meant.flatMap(({ content }) => needlesOf(content)))];
    const seqs = new Set(meant.map(({ seq }) => seq));
    let kept = 0;
    if (needles.length > 0) {
      for (const { seq, payload, under_way } of passed.iterate()) {
        if (!needles.some((needle) => payload.includes(needle))) continue;
        if (under_way === 1) kept += 1;
        else seqs.add(seq);
      }
    }
    return { seqs: [...seqs].sort((a, b) => a - b), kept };
  };
}

/** The memories and, back to the first, those that each took the place of. */
function lineage(all: readonly Stored[], ids: readonly string[]): ReadonlySet<string> {
  const line = new Set(ids);
  for (const one of [...all].reverse()) {
    if (line.has(one.memory_id) && one.replaces !== null) line.add(one.replaces);
  }
  return line;
}

/** The content as it stands in JSON, and in JSON that stands in JSON. */
function needlesOf(content: string): readonly string[] {
  if (content.length < TELLING_LENGTH) return [];
  const once = inJson(content);
  return [once.slice(0, NEEDLE_LENGTH), inJson(once).slice(0, NEEDLE_LENGTH)];
}

function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
