/** Reads a stream of buffers by counted bytes and by lines. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #done = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** So many bytes, or as many as there are before the end. */
  async upTo(bytes: number): Promise<Buffer> {
    while (this.#heldBytes < bytes && (await this.#more()));
    const all = this.#joined();
    this.#hold(all.subarray(bytes));
    return all.subarray(0, bytes);
  }

  /** The text up to the next newline, which is taken and not given; at most `max` bytes of it are looked at. */
  async line(max: number): Promise<string> {
    for (;;) {
      const all = this.#joined();
      this.#hold(all);
      const end = all.indexOf(0x0a);
      if (end >= 0) {
        this.#hold(all.subarray(end + 1));
        return all.subarray(0, end).toString("utf8");
      }
      if (all.length > max || !(await this.#more())) return "";
    }
  }

  /** True where nothing comes any more. */
  async ended(): Promise<boolean> {
    while (this.#heldBytes === 0) if (!(await this.#more())) return true;
    return false;
  }

  /** A single piece is not copied: most of what is read is cut from one. */
  #joined(): Buffer {
    const [first, second] = this.#held;
    return first !== undefined && second === undefined ? first : Buffer.concat(this.#held);
  }

  #hold(rest: Buffer): void {
    this.#held = rest.length === 0 ? [] : [rest];
    this.#heldBytes = rest.length;
  }

  async #more(): Promise<boolean> {
    if (this.#done) return false;
    const next = await this.#source.next();
    if (next.done === true) {
      this.#done = true;
      return false;
    }
    this.#held.push(next.value);
    this.#heldBytes += next.value.length;
    return true;
  }
}
