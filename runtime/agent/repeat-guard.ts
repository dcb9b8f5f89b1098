import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { ToolCallRequest } from "../protocol/message.js";

/** Calls remembered at most; the oldest are forgotten first. */
const MAX_KEYS = 1_024;

export interface Repeat {
  /** SHA-256 of the canonical input, hex. */
  readonly input_hash: string;
  /** How often this very call has been made, this time included. */
  readonly attempt_count: number;
  /** True once the call is worth a hint. */
  readonly fired: boolean;
  /** True once it has been made twice as often as earns a hint, and nothing else was changed in between. */
  readonly hopeless: boolean;
}

/** Notices an agent that makes the same call (tool and canonical input) again and again. */
export class RepeatGuard {
  readonly #threshold: number;
  readonly #counts = new Map<string, number>();
  /** The same, since another call last changed something: a test run again after an edit is no repetition. */
  readonly #barren = new Map<string, number>();

  constructor(threshold: number) {
    this.#threshold = threshold;
  }

  /** To be asked before each call. */
  count(call: ToolCallRequest): Repeat {
    const input_hash = inputHash(call);
    const key = `${call.name} ${input_hash}`;
    const attempt_count = increment(this.#counts, key);
    const barren = increment(this.#barren, key);
    return {
      input_hash,
      attempt_count,
      fired: attempt_count >= this.#threshold,
      hopeless: barren >= 2 * this.#threshold,
    };
  }

  /** To be told when a call that may change something has succeeded. */
  changed(call: ToolCallRequest): void {
    const key = `${call.name} ${inputHash(call)}`;
    const own = this.#barren.get(key);
    this.#barren.clear();
    if (own !== undefined) this.#barren.set(key, own);
  }
}

function increment(counts: Map<string, number>, key: string): number {
  const count = (counts.get(key) ?? 0) + 1;
  counts.delete(key);
  counts.set(key, count);
  const oldest = counts.keys().next();
  if (counts.size > MAX_KEYS && oldest.done !== true) counts.delete(oldest.value);
  return count;
}

function inputHash(call: ToolCallRequest): string {
  const text = call.malformed ?? canonicalize(call.input) ?? "";
  return createHash("sha256").update(text).digest("hex");
}
