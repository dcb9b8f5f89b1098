const MAX_LINE_BYTES = 256;
const MAX_TRAILER_BYTES = 8_192;
const CR = 13;

export type ChunkStep =
  | { readonly kind: "data"; readonly bytes: Buffer; readonly consumed: number }
  | { readonly kind: "skip"; readonly consumed: number }
  | { readonly kind: "more" }
  | { readonly kind: "end"; readonly consumed: number }
  | { readonly kind: "bad"; readonly reason: string };

export interface ChunkState {
  readonly at: "size" | "data" | "data_end" | "trailer";
  /** Bytes of the chunk still to come, or of the trailer so far. */
  readonly count: number;
}

export const CHUNK_START: ChunkState = { at: "size", count: 0 };

/**
 * One step through a chunked body (RFC 9112 section 7.1): what the first bytes are, and the state after them. Chunk sizes
 * are 1 to 8 hexadecimal digits; extensions and trailers are bounded and dropped; every line ends in CR LF. Pure.
 */
export function chunkStep(state: ChunkState, bytes: Buffer): readonly [ChunkStep, ChunkState] {
  switch (state.at) {
    case "size":
      return sizeLine(state, bytes);
    case "data":
      return chunkData(state, bytes);
    case "data_end":
      if (bytes.length < 2) return [{ kind: "more" }, state];
      if (bytes[0] !== CR || bytes[1] !== 10)
        return malformed(state, "a chunk does not end in CR LF");
      return [{ kind: "skip", consumed: 2 }, CHUNK_START];
    case "trailer":
      return trailerLine(state, bytes);
  }
}

function sizeLine(state: ChunkState, bytes: Buffer): readonly [ChunkStep, ChunkState] {
  const line = readLine(bytes, MAX_LINE_BYTES);
  if (line.kind !== "line") return [line, state];
  const match = /^([0-9A-Fa-f]{1,8})(?:[\t ]*;[\t\x20-\x7e]*)?$/.exec(line.text);
  if (match === null) return malformed(state, "a chunk size is malformed");
  const count = Number.parseInt(match[1] ?? "", 16);
  const next: ChunkState = count === 0 ? { at: "trailer", count: 0 } : { at: "data", count };
  return [{ kind: "skip", consumed: line.consumed }, next];
}

function chunkData(state: ChunkState, bytes: Buffer): readonly [ChunkStep, ChunkState] {
  if (bytes.length === 0) return [{ kind: "more" }, state];
  const take = Math.min(state.count, bytes.length);
  const left = state.count - take;
  const next: ChunkState = left === 0 ? { at: "data_end", count: 0 } : { at: "data", count: left };
  return [{ kind: "data", bytes: bytes.subarray(0, take), consumed: take }, next];
}

function trailerLine(state: ChunkState, bytes: Buffer): readonly [ChunkStep, ChunkState] {
  const line = readLine(bytes, MAX_TRAILER_BYTES);
  if (line.kind !== "line") return [line, state];
  if (line.text === "") return [{ kind: "end", consumed: line.consumed }, CHUNK_START];
  const count = state.count + line.consumed;
  if (count > MAX_TRAILER_BYTES) return malformed(state, "the trailer is too large");
  return [
    { kind: "skip", consumed: line.consumed },
    { at: "trailer", count },
  ];
}

type Line =
  | { readonly kind: "line"; readonly text: string; readonly consumed: number }
  | { readonly kind: "more" }
  | { readonly kind: "bad"; readonly reason: string };

function readLine(bytes: Buffer, maxBytes: number): Line {
  const end = bytes.indexOf(10);
  if (end === -1)
    return bytes.length > maxBytes
      ? { kind: "bad", reason: "a line is too long" }
      : { kind: "more" };
  if (end > maxBytes) return { kind: "bad", reason: "a line is too long" };
  if (end === 0 || bytes[end - 1] !== CR)
    return { kind: "bad", reason: "a line does not end in CR LF" };
  const text = bytes.toString("latin1", 0, end - 1);
  if (/[\r\0]/.test(text)) return { kind: "bad", reason: "a line holds a control character" };
  return { kind: "line", text, consumed: end + 1 };
}

function malformed(state: ChunkState, reason: string): readonly [ChunkStep, ChunkState] {
  return [{ kind: "bad", reason }, state];
}
