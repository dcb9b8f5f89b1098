import { Duplex } from "node:stream";
import { type ConnectionOptions, connect } from "node:tls";

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Edit = (bytes: Buffer, at: number, random: () => number) => Buffer;

const EDITS: readonly Edit[] = [
  (bytes, at, random) => splice(bytes, at, 1, [Math.floor(random() * 256)]),
  (bytes, at, random) => splice(bytes, at, 1, [(bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8))]),
  (bytes, at, random) => splice(bytes, at, Math.floor(random() * 8), []),
  (bytes, at, random) => splice(bytes, at, 0, [Math.floor(random() * 256)]),
  (bytes, at, random) => {
    const length = Math.floor(random() * 32);
    return splice(bytes, at, 0, [...bytes.subarray(at, at + length)]);
  },
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) =>
    splice(bytes, at, 1, [[0, 1, 0x7f, 0x80, 0xff, 10, 13, 32][Math.floor(random() * 8)] ?? 0]),
];

/** A seed with one to eight small changes: bits, bytes, runs left out, repeated or cut off. */
export function mutate(seed: Buffer, dictionary: readonly string[], random: () => number): Buffer {
  let bytes = Buffer.from(seed);
  for (let left = 1 + Math.floor(random() * 8); left > 0; left--) {
    const at = Math.floor(random() * (bytes.length + 1));
    const word = dictionary[Math.floor(random() * dictionary.length)];
    const edit = EDITS[Math.floor(random() * EDITS.length)];
    if (word !== undefined && random() < 0.25)
      bytes = splice(bytes, at, 0, [...Buffer.from(word, "latin1")]);
    else if (edit !== undefined) bytes = Buffer.from(edit(bytes, at, random));
  }
  return bytes;
}

function splice(
  bytes: Buffer,
  at: number,
  remove: number,
  insert: readonly number[],
): Buffer<ArrayBuffer> {
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(insert), bytes.subarray(at + remove)]);
}

/** The first bytes of a real TLS client. */
export function clientHelloOf(options: ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer) => {
        resolve(chunk);
        socket.destroy();
      },
    });
    connect({ socket, ...options }).on("error", () => undefined);
  });
}

/** The same ClientHello in TLS records of at most `size` bytes. */
export function refragment(hello: Buffer, size: number): Buffer {
  const payload = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < payload.length; at += size) {
    const part = payload.subarray(at, at + size);
    records.push(Buffer.from([0x16, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(records);
}

/** A DNS query for labels, as a resolver library writes it. */
export function dnsQuery(labels: readonly (string | Buffer)[], type = 1, qclass = 1): Buffer {
  const parts = labels.map((label) => Buffer.from(label));
  const name = parts.flatMap((label) => [Buffer.from([label.length]), label]);
  const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([
    header,
    ...name,
    Buffer.from([0, type >> 8, type & 255, qclass >> 8, qclass & 255]),
  ]);
}
