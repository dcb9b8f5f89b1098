import { bad, done, MORE, type Parsed } from "./parsed.js";

export const MAX_HEAD_BYTES = 32_768;
const MAX_HEADERS = 128;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const METHOD = /^[A-Z][A-Z_-]{0,31}$/;
/** Visible ASCII only: RFC 9112 section 3.2 has no other octet in a request target. */
const TARGET = /^[\x21-\x7e]{1,16384}$/;
/** RFC 9110 section 5.5: visible octets, obs-text, space and tab. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly version: "1.0" | "1.1";
  /** As sent, in order. Values are trimmed and hold latin1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The one Host value, if there is one. */
  readonly host: string | null;
  readonly body: BodyFraming;
  /** The client asked for the connection to be closed after this exchange. */
  readonly close: boolean;
}

export type BodyFraming =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

/**
 * The head of an HTTP/1.x request, more strictly than RFC 9112 allows: whatever two implementations could read differently
 * (bare CR or LF, folded lines, space before a colon, two Hosts, Content-Length with Transfer-Encoding or twice, any
 * coding but `chunked`) is refused rather than repaired. At most 32 KiB and 128 fields.
 */
export function parseRequestHead(bytes: Buffer): Parsed<RequestHead> {
  const end = bytes.indexOf("\r\n\r\n");
  if (end === -1) return unfinished(bytes);
  if (end + 4 > MAX_HEAD_BYTES) return bad("the request head is too large");
  const [first = "", ...rest] = bytes.toString("latin1", 0, end).split("\r\n");
  const line = requestLine(first);
  if (typeof line === "string") return bad(line);
  if (rest.length > MAX_HEADERS) return bad("too many header fields");
  const headers: [string, string][] = [];
  for (const text of rest) {
    const field = headerField(text);
    if (field === undefined) return bad("a header field is malformed");
    headers.push(field);
  }
  const hosts = values(headers, "host");
  if (hosts.length > 1) return bad("more than one Host");
  if (hosts.length === 0 && line.version === "1.1") return bad("Host is missing");
  const body = framing(headers, line.version);
  if (typeof body === "string") return bad(body);
  const options = connectionOptions(headers);
  const close = line.version === "1.0" || options.includes("close");
  return done({ ...line, headers, host: hosts[0] ?? null, body, close }, end + 4);
}

/** The lower-case options of all Connection and Proxy-Connection fields: names of fields that end at this hop. */
export function connectionOptions(headers: RequestHead["headers"]): readonly string[] {
  return [...values(headers, "connection"), ...values(headers, "proxy-connection")]
    .flatMap((value) => value.split(","))
    .map((option) => option.trim().toLowerCase())
    .filter((option) => option !== "");
}

function unfinished(bytes: Buffer): Parsed<RequestHead> {
  if (bytes.length >= MAX_HEAD_BYTES) return bad("the request head is too large");
  if (countLines(bytes) > MAX_HEADERS + 1) return bad("too many header fields");
  // A line end of one byte would make the head look endless here and finished elsewhere.
  return hasBareLineEnd(bytes) ? bad("a line does not end in CR LF") : MORE;
}

/** Counts no further than the bound, so that a head sent byte by byte stays cheap to look at again. */
function countLines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) {
    count += 1;
    if (count > MAX_HEADERS + 1) break;
  }
  return count;
}

function hasBareLineEnd(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1))
    if (at === 0 || bytes[at - 1] !== 13) return true;
  return false;
}

function requestLine(text: string): Pick<RequestHead, "method" | "target" | "version"> | string {
  const parts = text.split(" ");
  const [method = "", target = "", protocol = ""] = parts;
  if (parts.length !== 3 || !METHOD.test(method) || !TARGET.test(target))
    return "the request line is malformed";
  if (protocol !== "HTTP/1.1" && protocol !== "HTTP/1.0")
    return "only HTTP/1.0 and HTTP/1.1 are spoken";
  return { method, target, version: protocol === "HTTP/1.1" ? "1.1" : "1.0" };
}

function headerField(text: string): [string, string] | undefined {
  const colon = text.indexOf(":");
  const name = text.slice(0, colon);
  if (colon < 1 || !TOKEN.test(name)) return undefined;
  const value = text.slice(colon + 1);
  return VALUE.test(value) ? [name, value.replace(/^[\t ]+|[\t ]+$/g, "")] : undefined;
}

function framing(headers: RequestHead["headers"], version: string): BodyFraming | string {
  const lengths = values(headers, "content-length");
  const codings = values(headers, "transfer-encoding");
  if (codings.length > 0) {
    if (lengths.length > 0) return "both Content-Length and Transfer-Encoding";
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked" || version === "1.0")
      return "the transfer coding is not supported";
    return { kind: "chunked" };
  }
  const [length] = lengths;
  if (length === undefined) return { kind: "none" };
  if (lengths.length > 1 || !/^\d{1,15}$/.test(length)) return "Content-Length is malformed";
  return Number(length) === 0 ? { kind: "none" } : { kind: "length", bytes: Number(length) };
}

function values(headers: RequestHead["headers"], name: string): readonly string[] {
  return headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
}
