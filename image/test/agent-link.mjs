// The host's end of the guest agent's port: many commands at once over one byte stream. The frame is described in guest/agent.cc.
// After a reset the stream may end in the middle of a frame: `restart` fails what was running and skips to the next magic line.

const MAGIC = Buffer.from("\naaos-vm-agent 1\n");
const HEADER_BYTES = 9;
const CHUNK_BYTES = 64 << 10;
const WINDOW_BYTES = 512 << 10;

/**
 * @typedef {object} Ended
 * @property {number} status exit status; 255 when a signal ended the command
 * @property {number} signal 0 when none
 */

/**
 * @typedef {object} Job
 * @property {(bytes: Buffer) => void} onStdout
 * @property {(bytes: Buffer) => void} onStderr
 * @property {(ended: Ended) => void} onEnd
 * @property {(error: Error) => void} onLost
 * @property {number} untaken stdin bytes sent and not yet taken
 * @property {() => void} onTaken
 */

export class AgentLink {
  /** @type {Map<number, Job>} */
  #jobs = new Map();
  #nextJob = 1;
  /** @type {import("node:net").Socket} */
  #socket;
  /** @type {Buffer[]} */
  #received = [];
  #receivedBytes = 0;
  #synced = false;
  /** @type {(bootId: string) => void} */
  #onHello;

  /** @param {import("node:net").Socket} socket @param {(bootId: string) => void} onHello called at each start of the agent */
  constructor(socket, onHello) {
    this.#socket = socket;
    this.#onHello = onHello;
    socket.on("data", (bytes) => this.#receive(bytes));
    socket.on("error", () => {});
    socket.on("close", () => this.restart("the VM is gone"));
  }

  /** Forgets everything of this boot. @param {string} reason */
  restart(reason) {
    const lost = [...this.#jobs.values()];
    this.#jobs.clear();
    this.#received = [];
    this.#receivedBytes = 0;
    this.#synced = false;
    for (const job of lost) {
      job.onTaken();
      job.onLost(new Error(reason));
    }
  }

  /**
   * Starts a shell command as root.
   * @param {string} command
   * @param {{onStdout: (bytes: Buffer) => void, onStderr: (bytes: Buffer) => void, stdin?: AsyncIterable<Buffer> | Iterable<Buffer>}} streams
   * @returns {{ended: Promise<Ended>, kill: () => void}}
   */
  start(command, streams) {
    const id = this.#nextJob++;
    /** @type {Promise<Ended>} */
    const ended = new Promise((resolve, reject) => {
      this.#jobs.set(id, {
        ...streams,
        onEnd: resolve,
        onLost: reject,
        untaken: 0,
        onTaken: () => {},
      });
    });
    this.#send(id, "x", Buffer.from(command));
    this.#pump(id, streams.stdin ?? []).catch((error) => {
      this.#jobs.get(id)?.onLost(error);
      this.#send(id, "k", Buffer.alloc(0));
    });
    return { ended, kill: () => this.#send(id, "k", Buffer.alloc(0)) };
  }

  /** @param {number} id @param {AsyncIterable<Buffer> | Iterable<Buffer>} stdin */
  async #pump(id, stdin) {
    for await (const bytes of stdin) {
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        const chunk = bytes.subarray(at, at + CHUNK_BYTES);
        const job = this.#jobs.get(id);
        if (job === undefined) return;
        job.untaken += chunk.length;
        this.#send(id, "i", chunk);
        while (job.untaken > WINDOW_BYTES && this.#jobs.get(id) === job) {
          await new Promise((resolve) => {
            job.onTaken = () => resolve(undefined);
          });
        }
      }
    }
    this.#send(id, "e", Buffer.alloc(0));
  }

  /** @param {number} id @param {string} kind @param {Buffer} body */
  #send(id, kind, body) {
    if (this.#socket.destroyed) return;
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32LE(body.length, 0);
    header.writeUInt32LE(id, 4);
    header.write(kind, 8, "latin1");
    this.#socket.write(Buffer.concat([header, body]));
  }

  /** @param {Buffer} bytes */
  #receive(bytes) {
    this.#received.push(bytes);
    this.#receivedBytes += bytes.length;
    if (!this.#synced && !this.#skipToMagic()) return;
    const first = this.#received[0];
    if (
      first !== undefined &&
      first.length >= HEADER_BYTES &&
      this.#receivedBytes < HEADER_BYTES + first.readUInt32LE(0)
    )
      return;
    let rest = Buffer.concat(this.#received);
    while (this.#synced && rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + rest.readUInt32LE(0);
      if (rest.length < end) break;
      this.#handle(
        rest.readUInt32LE(4),
        rest.toString("latin1", 8, 9),
        rest.subarray(HEADER_BYTES, end),
      );
      rest = rest.subarray(end);
    }
    this.#received = [rest];
    this.#receivedBytes = rest.length;
  }

  #skipToMagic() {
    const all = Buffer.concat(this.#received);
    const at = all.indexOf(MAGIC);
    const rest = at < 0 ? all.subarray(-MAGIC.length) : all.subarray(at + MAGIC.length);
    this.#received = [rest];
    this.#receivedBytes = rest.length;
    this.#synced = at >= 0;
    return this.#synced;
  }

  /** @param {number} id @param {string} kind @param {Buffer} body */
  #handle(id, kind, body) {
    if (kind === "h") this.#onHello(body.toString());
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    if (kind === "o") job.onStdout(Buffer.from(body));
    if (kind === "r") job.onStderr(Buffer.from(body));
    if (kind === "a") {
      job.untaken -= body.readUInt32LE(0);
      job.onTaken();
    }
    if (kind === "q") {
      this.#jobs.delete(id);
      job.onTaken();
      job.onEnd({ status: body.readUInt32LE(0), signal: body.readUInt32LE(4) });
    }
  }
}
