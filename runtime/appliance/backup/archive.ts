import { z } from "zod";
import { AgentdError } from "../../protocol/agentd-error.js";
import { ByteReader } from "./byte-reader.js";

/**
 * What a backup holds, in this order: what it is (`about`), the files of `/etc/aaos` (`config`), `/etc/default/aaos` (`environment`),
 * every secret in plain (`credential`), the database, what else lies in `/var/lib/aaos` (`state`), and `end`. Each entry is a line of
 * JSON, then segments (u32 length, bytes), the last of length 0: a file may grow while it is read.
 */
const Entry = z.strictObject({
  place: z.enum(["about", "config", "environment", "credential", "database", "state", "end"]),
  /** A path below its place; never leads out of it. */
  name: z
    .string()
    .max(4096)
    .refine((name) => name === "" || name.split("/").every(isPlainName), "leads out of its place"),
  mode: z.int().min(0).max(0o777),
});
export type Entry = z.infer<typeof Entry>;

const MAX_SEGMENT = 1_048_576;
const MAX_LINE = 8192;

/** One entry as bytes. */
export async function* packEntry(
  entry: Entry,
  content: AsyncIterable<Buffer> | Iterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield Buffer.from(`${JSON.stringify(entry)}\n`);
  for await (const bytes of content) {
    for (let at = 0; at < bytes.length; at += MAX_SEGMENT) {
      const part = bytes.subarray(at, at + MAX_SEGMENT);
      yield length(part.length);
      yield part;
    }
  }
  yield length(0);
}

/** Every entry but `end`, with its content, which has to be read to its end before the next one. Throws `invalid_file` where it does not fit. */
export async function* unpackEntries(
  packed: AsyncIterable<Buffer>,
): AsyncGenerator<readonly [Entry, AsyncIterable<Buffer>]> {
  const reader = new ByteReader(packed);
  for (;;) {
    const entry = Entry.safeParse(jsonOf(await reader.line(MAX_LINE)));
    if (!entry.success) throw damaged();
    yield [entry.data, segments(reader)];
    if (entry.data.place === "end") return;
  }
}

async function* segments(reader: ByteReader): AsyncGenerator<Buffer> {
  for (;;) {
    const head = await reader.upTo(4);
    if (head.length < 4) throw damaged();
    const size = head.readUInt32BE();
    if (size === 0) return;
    const part = size > MAX_SEGMENT ? Buffer.alloc(0) : await reader.upTo(size);
    if (part.length < size) throw damaged();
    yield part;
  }
}

function isPlainName(name: string): boolean {
  return name !== "" && name !== "." && name !== ".." && !name.includes("\0");
}

function length(size: number): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(size);
  return head;
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function damaged(): AgentdError {
  return new AgentdError("invalid_file", "read backup", "its content is not what a backup holds", {
    hint: "It was made by a newer aaOS, or is damaged; nothing was changed.",
  });
}
