import type { Socket } from "node:net";

const PROBE_MS = 15_000;
const LINGER_MS = 2_000;

/**
 * Writes and waits until the kernel or the client has taken it, so that at most one text is ever held for a slow client. One
 * that takes nothing for `stallMs` is cut off. Returns, too, when the client is gone: callers go by their signal.
 */
export async function writeText(socket: Socket, text: string, stallMs: number): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return;
  if (socket.write(text)) return;
  await new Promise<void>((resolve) => {
    const stalled = setTimeout(() => socket.destroy(), stallMs);
    const done = () => {
      clearTimeout(stalled);
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}

/**
 * For a connection that only gets frames from now on: throws away what still comes in. A client that has closed its half may
 * be listening or gone, which on a Unix socket only writing tells: an empty line now and then does. Returns its end.
 */
export function probeAfterHalfClose(socket: Socket): () => void {
  let probe: NodeJS.Timeout | undefined;
  const watch = () => {
    probe ??= setInterval(() => {
      if (!socket.destroyed && socket.writableLength === 0) socket.write("\n");
    }, PROBE_MS);
  };
  if (socket.readableEnded) watch();
  else socket.once("end", watch);
  socket.resume();
  return () => {
    clearInterval(probe);
    socket.off("end", watch);
  };
}

/** Closes, but reads on for a moment: closing over unread bytes would take the last answer from the client. */
export function lingerAndClose(socket: Socket): void {
  socket.resume();
  socket.end();
  const late = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("end", () => socket.destroy());
  socket.once("close", () => clearTimeout(late));
}
