import { Socket } from "node:net";
import {
  decodeReply,
  encodeRequest,
  type FileReply,
  type FileRequest,
  takeFrames,
} from "../protocol/file-worker-wire.js";

/** A conversation with one file worker. Requests may overlap; each is answered, or fails with null once the worker is gone. */
export interface FileChannel {
  /** Null: the worker ended before it answered, so nobody knows what became of a write. Rejects when `signal` aborts. */
  readonly ask: (request: FileRequest, signal: AbortSignal) => Promise<FileReply | null>;
  readonly isOpen: () => boolean;
  readonly pending: () => number;
  readonly close: () => void;
}

interface Waiting {
  readonly settle: (reply: FileReply | null) => void;
}

/** Takes over `fd`, a stream socket whose other end the worker has as descriptor 3. */
export function openFileChannel(fd: number): FileChannel {
  const socket = new Socket({ fd });
  const waiting = new Map<number, Waiting>();
  let rest: Buffer = Buffer.alloc(0);
  let nextId = 1;
  let open = true;

  const end = () => {
    open = false;
    for (const { settle } of waiting.values()) settle(null);
    waiting.clear();
    socket.destroy();
  };
  socket.on("error", end).on("close", end);
  socket.on("data", (chunk: Buffer) => {
    try {
      const taken = takeFrames(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]));
      rest = taken.rest;
      for (const frame of taken.frames) {
        const reply = decodeReply(frame);
        const entry = waiting.get(reply.id);
        waiting.delete(reply.id);
        entry?.settle(reply);
      }
    } catch {
      // A worker that does not speak the wire is no worker; its callers learn that it is gone.
      end();
    }
  });
  socket.unref();

  return {
    isOpen: () => open,
    pending: () => waiting.size,
    close: end,
    ask: (request, signal) => {
      signal.throwIfAborted();
      if (!open) return Promise.resolve(null);
      const id = nextId;
      nextId = (nextId % 0xffff_ffff) + 1;
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          waiting.delete(id);
          reject(signal.reason as Error);
        };
        signal.addEventListener("abort", onAbort, { once: true });
        socket.ref();
        waiting.set(id, {
          settle: (reply) => {
            signal.removeEventListener("abort", onAbort);
            if (waiting.size === 0) socket.unref();
            resolve(reply);
          },
        });
        socket.cork();
        for (const part of encodeRequest(id, request)) socket.write(part);
        socket.uncork();
      });
    },
  };
}
