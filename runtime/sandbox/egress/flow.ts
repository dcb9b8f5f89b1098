import type { Socket } from "node:net";
import type { Target } from "./parse-connect.js";
import { SocketReader } from "./socket-reader.js";
import type { EgressQuotas, EgressReason, EgressVia } from "./types.js";

/**
 * One accepted connection and everything that ends with it. Aborting gives the first reason and resets the client; what
 * belongs to the flow (upstream sockets, waits) listens to its signal.
 */
export class Flow {
  readonly client: Socket;
  readonly reader: SocketReader;
  /** How the client came to us; set again as soon as the protocol is known. */
  via: EgressVia;
  /** The host that was granted, once it was: revocation asks for it. */
  granted: Target | undefined;
  readonly #abort = new AbortController();
  readonly #idle: NodeJS.Timeout;
  readonly #total: NodeJS.Timeout;
  #handshake: NodeJS.Timeout | undefined;
  #reason: EgressReason | undefined;

  constructor(client: Socket, via: EgressVia, quotas: EgressQuotas) {
    this.client = client;
    // Heads and handshakes are small and waited for.
    client.setNoDelay(true);
    this.reader = new SocketReader(client);
    this.via = via;
    this.#idle = setTimeout(() => this.abort("timeout"), quotas.idle_ms);
    this.#total = setTimeout(() => this.abort("timeout"), quotas.total_ms);
    // A socket without an error listener would take the daemon down; its close is what counts.
    client.on("error", () => this.abort("unreachable"));
    client.on("close", () => this.#stop());
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why the flow was aborted, if it was. */
  get reason(): EgressReason | undefined {
    return this.#reason;
  }

  /** A byte has passed. */
  touch(): void {
    this.#idle.refresh();
  }

  /** The client has this long to say what it wants; 0 ends the wait. */
  expect(ms: number): void {
    clearTimeout(this.#handshake);
    this.#handshake = ms === 0 ? undefined : setTimeout(() => this.abort("timeout"), ms);
  }

  /** Resets the client and everything that hangs on the flow. The first reason stays. */
  abort(reason: EgressReason): void {
    if (this.#abort.signal.aborted) return;
    this.#reason = reason;
    this.client.resetAndDestroy();
    this.#stop();
  }

  /** Closes in order: what was written still goes out, for as long as the idle time lasts. */
  close(): void {
    this.client.end();
    if (this.client.readableEnded || this.client.destroyed) return;
    // What the client still sends is read and dropped, or the kernel would reset what it has not read yet.
    this.client.resume();
    this.client.once("end", () => this.client.destroy());
  }

  #stop(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#total);
    clearTimeout(this.#handshake);
    this.#abort.abort(this.#reason);
  }
}
