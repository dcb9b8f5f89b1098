import { AgentdError } from "../protocol/agentd-error.js";

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The lines of a byte stream, without their ends; empty ones are left out, an unfinished last one too. Holds at most
 * `maxBytes` of an unfinished line: throws `request_too_large` over that.
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  const hold = (piece: Buffer) => {
    heldBytes += piece.length;
    if (heldBytes > maxBytes) throw tooLarge(maxBytes);
    held.push(piece);
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      hold(chunk.subarray(start, end));
      const line = withoutReturn(Buffer.concat(held));
      held = [];
      heldBytes = 0;
      start = end + 1;
      if (line.length > 0) yield line;
    }
    hold(chunk.subarray(start));
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}

function tooLarge(maxBytes: number): AgentdError {
  return new AgentdError(
    "request_too_large",
    "read request",
    `the request line is longer than ${maxBytes} bytes`,
  );
}
