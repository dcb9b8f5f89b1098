import { canonicalHost } from "../../protocol/host-name.js";
import type { Target } from "./parse-connect.js";
import { bad, done, MORE, type Parsed } from "./parsed.js";

export const SOCKS_VERSION = 5;
const NO_AUTHENTICATION = 0;
const COMMANDS: Readonly<Record<number, SocksRequest["command"]>> = {
  1: "connect",
  2: "bind",
  3: "udp_associate",
};

/** Reply codes of RFC 1928 section 6. */
export const SOCKS_REPLY = {
  succeeded: 0,
  general_failure: 1,
  not_allowed: 2,
  host_unreachable: 4,
  connection_refused: 5,
  command_not_supported: 7,
  address_type_not_supported: 8,
} as const;
export type SocksReply = keyof typeof SOCKS_REPLY;

export interface SocksRequest {
  readonly command: "connect" | "bind" | "udp_associate";
  readonly target: Target;
}

/** The greeting: whether "no authentication" is among the methods offered, which is the only one spoken here. */
export function parseSocksGreeting(bytes: Buffer): Parsed<{ readonly acceptable: boolean }> {
  const [version, count] = bytes;
  if (version !== undefined && version !== SOCKS_VERSION)
    return bad("only SOCKS version 5 is spoken");
  if (count === undefined) return MORE;
  if (count === 0) return bad("no SOCKS method is offered");
  if (bytes.length < 2 + count) return MORE;
  return done({ acceptable: bytes.subarray(2, 2 + count).includes(NO_AUTHENTICATION) }, 2 + count);
}

/** The request of RFC 1928 section 4. Names are canonical; a name with NUL or any other foreign byte is refused. */
export function parseSocksRequest(bytes: Buffer): Parsed<SocksRequest> {
  const [version, code, reserved, type, nameLength] = bytes;
  if (version !== undefined && version !== SOCKS_VERSION) return bad("the SOCKS version is wrong");
  if (nameLength === undefined) return MORE;
  const command = COMMANDS[code ?? 0];
  if (command === undefined || reserved !== 0) return bad("the SOCKS request is malformed");
  const layout = addressLayout(type, nameLength);
  if (layout === undefined) return bad("the SOCKS address type is unknown");
  const end = layout.from + layout.length;
  if (bytes.length < end + 2) return MORE;
  const host = addressText(type, bytes.subarray(layout.from, end));
  const port = bytes.readUInt16BE(end);
  if (host === undefined) return bad("the SOCKS address is no host");
  if (port === 0 && command === "connect") return bad("the SOCKS port is 0");
  return done({ command, target: { host, port } }, end + 2);
}

/** A reply with an empty bound address: clients of CONNECT do not need one, and ours is nobody's business. */
export function socksReply(reply: SocksReply): Buffer {
  return Buffer.from([SOCKS_VERSION, SOCKS_REPLY[reply], 0, 1, 0, 0, 0, 0, 0, 0]);
}

function addressLayout(
  type: number | undefined,
  nameLength: number,
): { readonly from: number; readonly length: number } | undefined {
  if (type === 1) return { from: 4, length: 4 };
  if (type === 4) return { from: 4, length: 16 };
  return type === 3 && nameLength > 0 ? { from: 5, length: nameLength } : undefined;
}

function addressText(type: number | undefined, bytes: Buffer): string | undefined {
  if (type === 1) return bytes.join(".");
  if (type === 4)
    return canonicalHost(`[${bytes.toString("hex").match(/.{4}/g)?.join(":") ?? ""}]`);
  // A length-prefixed name has no business with any byte outside ASCII: IDN goes over SOCKS as punycode.
  return bytes.every((byte) => byte > 0x20 && byte < 0x7f) && !bytes.includes(0x5b)
    ? canonicalHost(bytes.toString("latin1"))
    : undefined;
}
