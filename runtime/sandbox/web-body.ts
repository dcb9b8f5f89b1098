import type { Readable } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";

interface Body {
  readonly bytes: Buffer;
  /** True where more came than was wanted; the rest was not read. */
  readonly truncated: boolean;
}

/** The decoder of a Content-Encoding, `identity` for none; undefined for one that is not understood. RFC 9110, 8.4. */
function decoderOf(encoding: string): "identity" | (() => NodeJS.ReadWriteStream) | undefined {
  switch (encoding) {
    case "":
    case "identity":
      return "identity";
    case "gzip":
    case "x-gzip":
      return createGunzip;
    case "deflate":
      return createInflate;
    case "br":
      return createBrotliDecompress;
    default:
      return undefined;
  }
}

/**
 * At most `maxBytes` of a body, decoded as it comes, so that a small body that unfolds to a huge one costs no more than the
 * bound. Throws what the stream or the decoder throws, and for an encoding that was not asked for.
 */
export async function readBody(
  stream: Readable,
  contentEncoding: string,
  maxBytes: number,
): Promise<Body> {
  const decoder = decoderOf(contentEncoding.trim().toLowerCase());
  if (decoder === undefined) throw new Error(`unknown content encoding ${contentEncoding}`);
  const decoded = decoder === "identity" ? stream : decodeWith(decoder, stream);
  const chunks: Buffer[] = [];
  let length = 0;
  // Leaving the loop early destroys the stream, and the connection with it.
  for await (const chunk of decoded) {
    const bytes = Buffer.from(chunk as Uint8Array);
    chunks.push(bytes);
    length += bytes.length;
    if (length > maxBytes) break;
  }
  stream.destroy();
  const bytes = Buffer.concat(chunks).subarray(0, maxBytes);
  return { bytes, truncated: length > maxBytes };
}

function decodeWith(
  decoder: () => NodeJS.ReadWriteStream,
  stream: Readable,
): AsyncIterable<unknown> {
  const decompress = decoder();
  stream.on("error", (error) => decompress.emit("error", error));
  return stream.pipe(decompress);
}

/** Text by the charset of the header, of a byte order mark, or of the page's own first bytes; UTF-8 where none is known. */
export function decodeText(bytes: Buffer, contentType: string): string {
  const label =
    bomCharset(bytes) ??
    /charset\s*=\s*["']?([\w.:-]+)/i.exec(contentType)?.[1] ??
    /<meta[^>]{0,200}charset\s*=\s*["']?([\w.:-]+)/i.exec(
      bytes.subarray(0, 2_048).toString("latin1"),
    )?.[1];
  try {
    return new TextDecoder(label ?? "utf-8").decode(bytes);
  } catch {
    return bytes.toString("utf8");
  }
}

function bomCharset(bytes: Buffer): string | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? "utf-8" : undefined;
}
