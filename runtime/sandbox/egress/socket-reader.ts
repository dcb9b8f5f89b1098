import type { Socket } from "node:net";
import type { Parsed } from "./parsed.js";

export type ReadResult<T> =
  | { readonly kind: "done"; readonly value: T; readonly raw: Buffer }
  | { readonly kind: "bad"; readonly reason: string }
  /** The peer closed first. */
  | { readonly kind: "end" };

/**
 * Reads a socket piece by piece, with what was read too far kept in `rest`. Nothing else may read the socket until `take`
 * has given the rest away. Waiting ends when the signal is aborted, as if the peer had closed. The parser bounds the size.
 */
export class SocketReader {
  readonly socket: Socket;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Feeds the parser until it is done; the bytes it consumed are taken. */
  async until<T>(parse: (bytes: Buffer) => Parsed<T>, signal: AbortSignal): Promise<ReadResult<T>> {
    let chunk: Buffer | null = this.#rest.length > 0 ? this.#rest : await this.#next(signal);
    this.#rest = Buffer.alloc(0);
    while (chunk !== null) {
      this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      const parsed = parse(this.#rest);
      if (parsed.kind === "bad") return parsed;
      if (parsed.kind === "done") {
        const raw = this.#rest.subarray(0, parsed.consumed);
        this.#rest = this.#rest.subarray(parsed.consumed);
        return { kind: "done", value: parsed.value, raw };
      }
      chunk = await this.#next(signal);
    }
    return { kind: "end" };
  }

  /** Whatever comes next, at most `max` bytes, or null at the end. */
  async upTo(max: number, signal: AbortSignal): Promise<Buffer | null> {
    const bytes = this.#rest.length > 0 ? this.take() : await this.#next(signal);
    if (bytes === null) return null;
    this.#rest = bytes.subarray(max);
    return bytes.subarray(0, max);
  }

  /** The bytes read too far; they are the caller's now. */
  take(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }

  #next(signal: AbortSignal): Promise<Buffer | null> {
    const { socket } = this;
    const ready = socket.read() as Buffer | null;
    if (ready !== null) return Promise.resolve(ready);
    if (socket.readableEnded || socket.destroyed || signal.aborted) return Promise.resolve(null);
    return new Promise((resolve) => {
      const settle = (chunk: Buffer | null) => {
        socket.off("readable", onReadable).off("end", onEnd).off("close", onEnd);
        signal.removeEventListener("abort", onEnd);
        resolve(chunk);
      };
      const onEnd = () => settle(null);
      const onReadable = () => {
        const chunk = socket.read() as Buffer | null;
        if (chunk !== null) settle(chunk);
      };
      socket.on("readable", onReadable).on("end", onEnd).on("close", onEnd);
      signal.addEventListener("abort", onEnd);
    });
  }
}
