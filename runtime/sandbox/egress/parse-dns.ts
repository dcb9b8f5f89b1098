import { canonicalHost } from "../../protocol/host-name.js";

const HEADER_BYTES = 12;
/** RFC 6891's usual limit; the stub's own answers are far smaller. */
export const MAX_QUERY_BYTES = 1_232;
const CLASS_IN = 1;
const TYPES: Readonly<Record<number, DnsType>> = { 1: "A", 28: "AAAA", 64: "SVCB", 65: "HTTPS" };
const RCODES = { NOERROR: 0, FORMERR: 1, NOTIMP: 4, REFUSED: 5 } as const;
const FLAG_RESPONSE = 0x8000;
const FLAG_RECURSION_DESIRED = 0x0100;
const FLAG_RECURSION_AVAILABLE = 0x0080;

export type DnsType = "A" | "AAAA" | "SVCB" | "HTTPS";
export type DnsRcode = keyof typeof RCODES;

export interface DnsQuery {
  readonly id: number;
  readonly recursionDesired: boolean;
  /** Canonical; null where the name is none that could be granted. */
  readonly name: string | null;
  readonly type: DnsType | null;
  /** The question as sent, echoed in the answer: resolvers compare it octet by octet (0x20 case). */
  readonly question: Buffer;
}

export type DnsParsed =
  | { readonly kind: "query"; readonly query: DnsQuery }
  /** A header that can be answered, with something behind it that cannot be read. */
  | { readonly kind: "malformed"; readonly id: number; readonly rcode: "FORMERR" | "NOTIMP" }
  /** Nothing that deserves an answer: too short, too long, or itself a response. */
  | { readonly kind: "drop" };

/**
 * One DNS query (RFC 1035 section 4.1): opcode QUERY, exactly one question of class IN, no answers, at most an OPT record
 * behind it, which is not read. A question has no business with compression, so that a pointer is malformed and no loop is
 * possible.
 */
export function parseDnsQuery(message: Buffer): DnsParsed {
  if (message.length < HEADER_BYTES || message.length > MAX_QUERY_BYTES) return { kind: "drop" };
  const id = message.readUInt16BE(0);
  const flags = message.readUInt16BE(2);
  if ((flags & FLAG_RESPONSE) !== 0) return { kind: "drop" };
  if (((flags >> 11) & 15) !== 0) return { kind: "malformed", id, rcode: "NOTIMP" };
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map((at) =>
    message.readUInt16BE(at),
  );
  const labels = readLabels(message);
  if (
    questions !== 1 ||
    answers !== 0 ||
    authorities !== 0 ||
    (additional ?? 0) > 1 ||
    labels === undefined
  )
    return { kind: "malformed", id, rcode: "FORMERR" };
  const end = labels.end + 4;
  if (end > message.length || (additional === 0 && end !== message.length))
    return { kind: "malformed", id, rcode: "FORMERR" };
  const isIn = message.readUInt16BE(labels.end + 2) === CLASS_IN;
  const type = isIn ? (TYPES[message.readUInt16BE(labels.end)] ?? null) : null;
  const question = message.subarray(HEADER_BYTES, end);
  const recursionDesired = (flags & FLAG_RECURSION_DESIRED) !== 0;
  return { kind: "query", query: { id, recursionDesired, name: labels.name, type, question } };
}

/** An answer to `query`: of `address`, if there is one, with a life of 0 seconds. */
export function dnsAnswer(query: DnsQuery, rcode: DnsRcode, address?: string): Buffer {
  const flags =
    FLAG_RESPONSE |
    FLAG_RECURSION_AVAILABLE |
    (query.recursionDesired ? FLAG_RECURSION_DESIRED : 0) |
    RCODES[rcode];
  const head = header(query.id, flags, 1, address === undefined ? 0 : 1);
  if (address === undefined) return Buffer.concat([head, query.question]);
  // A pointer to the question's name at octet 12, type A, class IN, TTL 0, four octets.
  const record = Buffer.from([0xc0, HEADER_BYTES, 0, 1, 0, CLASS_IN, 0, 0, 0, 0, 0, 4]);
  return Buffer.concat([head, query.question, record, Buffer.from(address.split(".").map(Number))]);
}

/** An answer to what could not be read: the header alone. */
export function dnsError(id: number, rcode: DnsRcode): Buffer {
  return header(id, FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | RCODES[rcode], 0, 0);
}

function header(id: number, flags: number, questions: number, answers: number): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  [id, flags, questions, answers].forEach((word, index) => {
    bytes.writeUInt16BE(word, index * 2);
  });
  return bytes;
}

function readLabels(
  message: Buffer,
): { readonly name: string | null; readonly end: number } | undefined {
  const labels: string[] = [];
  let offset = HEADER_BYTES;
  for (;;) {
    const length = message[offset];
    // The two high bits mark a pointer or a reserved form: neither belongs here.
    if (length === undefined || length > 63) return undefined;
    offset += 1;
    if (length === 0) break;
    const label = message.subarray(offset, offset + length);
    if (label.length < length || offset + length - HEADER_BYTES > 254) return undefined;
    labels.push(label.toString("latin1"));
    offset += length;
  }
  // A label may hold any octet, a dot too: only what is written with letters is a name that can be granted.
  const isPlain = labels.length > 0 && labels.every((label) => /^[A-Za-z0-9_-]+$/.test(label));
  return { name: isPlain ? (canonicalHost(labels.join(".")) ?? null) : null, end: offset };
}
