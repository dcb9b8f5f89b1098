import { canonicalHost } from "../protocol/host-name.js";
import { CHUNK_START, type ChunkState, chunkStep } from "../sandbox/egress/parse-chunked.js";
import { parseClientHello, parseSecondHello } from "../sandbox/egress/parse-client-hello.js";
import { parseOriginRequest, parseProxyRequest } from "../sandbox/egress/parse-connect.js";
import { dnsAnswer, MAX_QUERY_BYTES, parseDnsQuery } from "../sandbox/egress/parse-dns.js";
import { MAX_HEAD_BYTES, parseRequestHead } from "../sandbox/egress/parse-http-head.js";
import { parseSocksGreeting, parseSocksRequest } from "../sandbox/egress/parse-socks.js";
import type { Parsed } from "../sandbox/egress/parsed.js";
import { clientHelloOf, dnsQuery, refragment } from "./mutate.js";

/** One parser under mutation: what it is fed, and what must hold of any input. `check` throws where it does not. */
export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Buffer[];
  readonly dictionary: readonly string[];
  readonly check: (bytes: Buffer, split: number) => void;
}

function must(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule);
}

/** Rules of every streaming parser: what is decided of a beginning stays so when more comes, and bounds hold. */
function streaming<T>(
  parse: (bytes: Buffer) => Parsed<T>,
  bound: number,
  inspect: (value: T) => void,
) {
  return (bytes: Buffer, split: number) => {
    const whole = parse(bytes);
    const early = parse(bytes.subarray(0, split));
    if (early.kind === "bad") must(whole.kind === "bad", "a bad beginning turned good");
    if (early.kind === "done")
      must(JSON.stringify(early) === JSON.stringify(whole), "a result changed with later bytes");
    if (whole.kind === "more") must(bytes.length <= bound, "more is wanted beyond the bound");
    if (whole.kind !== "done") return;
    must(whole.consumed >= 0 && whole.consumed <= bytes.length, "consumed is out of range");
    inspect(whole.value);
  };
}

function mustBeHost(host: string): void {
  must(canonicalHost(host) === host, `${JSON.stringify(host)} is not canonical`);
}

const HTTP_SEEDS = [
  "GET http://granted.test:8080/a?b HTTP/1.1\r\nHost: granted.test:8080\r\nAccept: */*\r\n\r\n",
  "CONNECT granted.test:443 HTTP/1.1\r\nHost: granted.test:443\r\nProxy-Connection: keep-alive\r\n\r\n",
  "POST http://[2001:db8::1]/ HTTP/1.1\r\nHost: [2001:db8::1]\r\nTransfer-Encoding: chunked\r\n\r\n",
  "PUT /x HTTP/1.0\r\nHost: granted.test\r\nContent-Length: 5\r\n\r\nhello",
];
const HTTP_WORDS = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  ":",
  "@",
  "%00",
  " ",
  "Host: evil.test\r\n",
  "Content-Length: 1\r\n",
  "Transfer-Encoding: chunked\r\n",
  "http://",
  "127.1",
  "0x7f.1",
  "[::1]",
  "\r\n ",
];

function inspectHead(head: Parameters<typeof parseProxyRequest>[0]): void {
  for (const [name, value] of head.headers)
    must(!/[\r\n\0]/.test(name + value), "a line end survived in a field");
  must(!/[\r\n\0 ]/.test(head.target + head.method), "a line end survived in the request line");
  const lengths = head.headers.filter(([name]) =>
    /^(content-length|transfer-encoding)$/i.test(name),
  );
  must(lengths.length <= 1, "two framings");
  const request = parseProxyRequest(head);
  if (request.kind === "connect" || request.kind === "forward") mustBeHost(request.target.host);
  if (request.kind === "forward") must(request.path.startsWith("/"), "a path without a slash");
  parseOriginRequest(head, { host: "granted.test", port: 80 });
}

/** All content of a chunked body given in two pieces, or what is wrong with it. */
function dechunk(first: Buffer, second: Buffer): string {
  const text: string[] = [];
  const early = readChunks(CHUNK_START, first, text);
  if (early.end !== "more") return early.end + text.join("");
  const late = readChunks(early.state, Buffer.concat([early.rest, second]), text);
  return late.end === "bad" ? "bad" : late.end + text.join("");
}

function readChunks(start: ChunkState, bytes: Buffer, text: string[]) {
  let state = start;
  let rest = bytes;
  for (;;) {
    const [step, next] = chunkStep(state, rest);
    if (step.kind === "bad") text.length = 0;
    if (step.kind === "bad" || step.kind === "more") return { state, rest, end: step.kind };
    must(step.consumed > 0 && step.consumed <= rest.length, "no progress");
    if (step.kind === "data") text.push(step.bytes.toString("latin1"));
    if (step.kind === "end") return { state, rest, end: step.kind };
    rest = rest.subarray(step.consumed);
    state = next;
  }
}

function checkDns(bytes: Buffer): void {
  const parsed = parseDnsQuery(bytes);
  if (parsed.kind !== "query") return;
  const { query } = parsed;
  must(bytes.length <= MAX_QUERY_BYTES, "an oversized query was read");
  if (query.name !== null) mustBeHost(query.name);
  const answer = dnsAnswer(query, "NOERROR", "127.1.0.1");
  must(
    answer.readUInt16BE(0) === query.id && answer.length === query.question.length + 28,
    "the answer is malformed",
  );
}

const SOCKS_SEEDS = [
  Buffer.from([5, 2, 0, 2]),
  Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, 0, 80]),
  Buffer.from([5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 187]),
  Buffer.concat([
    Buffer.from([5, 1, 0, 3, 12]),
    Buffer.from("granted.test"),
    Buffer.from([1, 187]),
  ]),
];

/** The five parsers of the proxy (the request head with its target, chunks, SOCKS, ClientHello, DNS). */
export async function fuzzTargets(): Promise<readonly FuzzTarget[]> {
  const hello = await clientHelloOf({
    servername: "granted.test",
    ALPNProtocols: ["h2", "http/1.1"],
  });
  const old = await clientHelloOf({ servername: "granted.test", maxVersion: "TLSv1.2" });
  const nameless = await clientHelloOf({});
  const second = Buffer.concat([Buffer.from([0x14, 3, 3, 0, 1, 1]), hello]);
  const inspectHello = (value: { readonly serverName: string | null } | null) => {
    if (value !== null && value.serverName !== null) mustBeHost(value.serverName);
  };
  const helloSeeds = [hello, old, nameless, refragment(hello, 50), refragment(hello, 300), second];
  const dnsWords = ["\xc0\x0c", "\x3f", "\x40", "\0", "\x07granted\x04test\0"];
  const chunks = "5\r\nhello\r\n1a;x=y\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\nT: v\r\n\r\n";
  const checkHello = streaming(parseClientHello, 66_000, inspectHello);
  const checkSecond = streaming(parseSecondHello, 66_000, inspectHello);
  const checkGreeting = streaming(parseSocksGreeting, 257, () => undefined);
  const checkRequest = streaming(parseSocksRequest, 262, ({ target }) => mustBeHost(target.host));
  return [
    {
      name: "http head",
      seeds: HTTP_SEEDS.map((text) => Buffer.from(text, "latin1")),
      dictionary: HTTP_WORDS,
      check: streaming(parseRequestHead, MAX_HEAD_BYTES, inspectHead),
    },
    {
      name: "chunked body",
      seeds: [Buffer.from(chunks)],
      dictionary: ["\r\n", "\n", "0\r\n", "ffffffff", ";", "-1"],
      check: (bytes, split) => {
        const once = dechunk(bytes, Buffer.alloc(0));
        const twice = dechunk(bytes.subarray(0, split), bytes.subarray(split));
        must(once === twice, "two pieces read differently than one");
      },
    },
    {
      name: "socks",
      seeds: SOCKS_SEEDS,
      dictionary: ["\0", ".", "[::1]", "%", "granted.test"],
      check: (bytes, split) => {
        checkGreeting(bytes, split);
        checkRequest(bytes, split);
      },
    },
    {
      name: "client hello",
      seeds: helloSeeds,
      dictionary: ["\x16\x03\x01", "\0\0", "\xfe\x0d", "evil.test", "\0"],
      check: (bytes, split) => {
        checkHello(bytes, split);
        checkSecond(bytes, split);
      },
    },
    {
      name: "dns",
      seeds: [
        dnsQuery(["granted", "test"]),
        dnsQuery(["a".repeat(63), "b".repeat(63), "test"], 28),
      ],
      dictionary: dnsWords,
      check: checkDns,
    },
  ];
}
