/**
 * Keeps at most `maxBytes` of a stream: its beginning and its end, with a line in between that says how much is missing.
 * Memory is bounded whatever is pushed.
 */
export class HeadTail {
  readonly #headBytes: number;
  readonly #tailBytes: number;
  readonly #head: Buffer[] = [];
  #headLength = 0;
  #tail: Buffer[] = [];
  #tailLength = 0;
  #total = 0;

  constructor(maxBytes: number) {
    this.#headBytes = Math.ceil(maxBytes / 2);
    this.#tailBytes = maxBytes - this.#headBytes;
  }

  push(chunk: Buffer): void {
    this.#total += chunk.length;
    const room = this.#headBytes - this.#headLength;
    const first = chunk.subarray(0, room);
    if (first.length > 0) {
      this.#head.push(first);
      this.#headLength += first.length;
    }
    if (chunk.length > first.length) this.#pushTail(chunk.subarray(first.length));
  }

  get truncated(): boolean {
    return this.#total > this.#headBytes + this.#tailBytes;
  }

  /** What was kept, as UTF-8; bytes that are none become U+FFFD. */
  text(): string {
    const head = Buffer.concat(this.#head);
    const tail = Buffer.concat(this.#tail);
    if (!this.truncated) return Buffer.concat([head, tail]).toString("utf8");
    const kept = tail.subarray(Math.max(0, tail.length - this.#tailBytes));
    const missing = this.#total - head.length - kept.length;
    return `${head.toString("utf8")}\n[… ${missing} bytes left out …]\n${kept.toString("utf8")}`;
  }

  #pushTail(chunk: Buffer): void {
    this.#tail.push(chunk);
    this.#tailLength += chunk.length;
    if (this.#tailLength <= this.#tailBytes * 2 + 65_536) return;
    const joined = Buffer.concat(this.#tail);
    // A copy, so that the chunks which are dropped do not stay alive behind a slice.
    this.#tail = [Buffer.from(joined.subarray(Math.max(0, joined.length - this.#tailBytes)))];
    this.#tailLength = Math.min(joined.length, this.#tailBytes);
  }
}
