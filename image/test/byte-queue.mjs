// What a socket gives, by counted bytes.

export class ByteQueue {
  /** @type {Buffer[]} */
  #held = [];
  #heldBytes = 0;
  #source;

  /** @param {AsyncIterable<Buffer>} stream */
  constructor(stream) {
    this.#source = stream[Symbol.asyncIterator]();
  }

  /** So many bytes; throws where the stream ends before. @param {number} bytes @returns {Promise<Buffer>} */
  async take(bytes) {
    while (this.#heldBytes < bytes) {
      const next = await this.#source.next();
      if (next.done === true) throw new Error("the stream has ended");
      this.#held.push(next.value);
      this.#heldBytes += next.value.length;
    }
    const all = Buffer.concat(this.#held);
    this.#held = [all.subarray(bytes)];
    this.#heldBytes = all.length - bytes;
    return all.subarray(0, bytes);
  }
}
