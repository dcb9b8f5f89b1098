import { CHUNK_START, chunkStep } from "./parse-chunked.js";
import type { BodyFraming } from "./parse-http-head.js";
import type { SocketReader } from "./socket-reader.js";

export class MalformedBody extends Error {
  override readonly name = "MalformedBody";
}

/**
 * The content of a request body, without its framing. It ends exactly where the body does, so that the next request can be
 * read behind it. Throws `MalformedBody` where the framing is broken or the client leaves in the middle.
 */
export async function* requestBody(
  reader: SocketReader,
  framing: BodyFraming,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  switch (framing.kind) {
    case "none":
      return;
    case "length":
      yield* lengthBody(reader, framing.bytes, signal);
      return;
    case "chunked":
      yield* chunkedBody(reader, signal);
      return;
  }
}

async function* lengthBody(
  reader: SocketReader,
  length: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let left = length;
  while (left > 0) {
    const part = await reader.upTo(left, signal);
    if (part === null) throw new MalformedBody("the client left in the middle of its request");
    left -= part.length;
    yield part;
  }
}

async function* chunkedBody(
  reader: SocketReader,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  let state = CHUNK_START;
  for (;;) {
    const read = await reader.until((bytes) => {
      const [step, next] = chunkStep(state, bytes);
      if (step.kind === "more" || step.kind === "bad") return step;
      state = next;
      return { kind: "done", value: step, consumed: step.consumed };
    }, signal);
    if (read.kind === "bad") throw new MalformedBody(read.reason);
    if (read.kind === "end")
      throw new MalformedBody("the client left in the middle of its request");
    if (read.value.kind === "end") return;
    if (read.value.kind === "data") yield read.value.bytes;
  }
}
