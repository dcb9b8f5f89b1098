import type { Socket } from "node:net";
import { type EgressContext, spendBytes } from "./context.js";
import type { Flow } from "./flow.js";

/** Both directions until both have ended; half-closes are passed on, and nothing is buffered beyond one write. */
export async function relay(context: EgressContext, flow: Flow, upstream: Socket): Promise<void> {
  await Promise.all([relayUp(context, flow, upstream), relayDown(context, flow, upstream)]);
}

/** From the client, beginning with what was already read from it. */
export async function relayUp(context: EgressContext, flow: Flow, upstream: Socket): Promise<void> {
  const rest = flow.reader.take();
  if (rest.length > 0 && !sendUp(context, flow, upstream, rest)) return;
  await pump(flow.client, upstream, (bytes) => spendBytes(context, flow, "up", bytes));
}

export function relayDown(context: EgressContext, flow: Flow, upstream: Socket): Promise<void> {
  return pump(upstream, flow.client, (bytes) => spendBytes(context, flow, "down", bytes));
}

/** A small piece that was read for inspection, on its way at last. False where the quota ends the flow. */
export function sendUp(
  context: EgressContext,
  flow: Flow,
  upstream: Socket,
  bytes: Buffer,
): boolean {
  if (!spendBytes(context, flow, "up", bytes.length)) return false;
  upstream.write(bytes);
  return true;
}

/** Resolves when `from` has ended or either side is gone; a break on one side breaks the other. */
function pump(from: Socket, to: Socket, spend: (bytes: number) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const onData = (chunk: Buffer) => {
      if (spend(chunk.length) && !to.write(chunk)) from.pause();
    };
    const onDrain = () => from.resume();
    const stop = () => {
      from.off("data", onData).off("end", onEnd).off("close", onClose);
      to.off("drain", onDrain).off("close", onClose);
      resolve();
    };
    const onEnd = () => {
      to.end();
      stop();
    };
    const onClose = () => {
      from.destroy();
      to.destroy();
      stop();
    };
    if (from.readableEnded) return onEnd();
    if (from.destroyed || to.destroyed) return onClose();
    from.on("data", onData).once("end", onEnd).once("close", onClose);
    to.on("drain", onDrain).once("close", onClose);
    from.resume();
  });
}
