import { type Entropy, ulid } from "../base/ulid.js";
import type { NewEvent } from "../protocol/event.js";
import type { PreparedEvent } from "./writer-protocol.js";

const SALT_BYTES = 16;
/** Parts of the envelope: ids and names of the daemon's own making, kept as they are. */
const ENVELOPE: ReadonlySet<string> = new Set([
  "kind",
  "run_id",
  "step_id",
  "agent_id",
  "parent",
  "actor",
]);

/** Gives an event its id, time and salt, and passes every string of its payload through `redact`. A copy; nothing is shared. */
export function prepareEvent(
  event: NewEvent,
  entropy: Entropy,
  redact: (text: string) => string,
): PreparedEvent {
  const clean: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(event)) {
    if (value === undefined) continue;
    clean[key] = ENVELOPE.has(key) ? value : cleanValue(value, redact);
  }
  return {
    id: ulid(entropy),
    time: new Date(entropy.now()).toISOString(),
    salt: Buffer.from(entropy.randomBytes(SALT_BYTES)).toString("hex"),
    event: clean as NewEvent,
  };
}

function cleanValue(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return wellFormed(redact(value));
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, redact));
  if (typeof value !== "object" || value === null) return value;
  const clean: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) clean[wellFormed(key)] = cleanValue(item, redact);
  }
  return clean;
}

/** Half a character, as models and cut texts hold it, has no UTF-8; RFC 8785 refuses it. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, "\uFFFD");
}
