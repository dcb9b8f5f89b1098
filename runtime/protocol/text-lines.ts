/**
 * The lines of a byte stream, without their ends. A line over `maxBytes` throws: whoever writes such a line is not to be
 * listened to any more. A last line without an end is dropped, as the rest of a message that was cut off.
 */
export async function* textLines(
  stream: AsyncIterable<unknown>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const piece of stream) {
    let chunk = Buffer.from(piece as Uint8Array);
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10)) {
      if (size + end > maxBytes) throw new Error(`a line is longer than ${maxBytes} bytes`);
      yield Buffer.concat([...parts, chunk.subarray(0, end)]).toString("utf8");
      parts = [];
      size = 0;
      chunk = chunk.subarray(end + 1);
    }
    parts.push(chunk);
    size += chunk.length;
    if (size > maxBytes) throw new Error(`a line is longer than ${maxBytes} bytes`);
  }
}
