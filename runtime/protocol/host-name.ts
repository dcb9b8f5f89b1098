import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";

const MAX_INPUT = 1_024;
const MAX_NAME = 253;
const LABEL = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
const ASCII = /^[\x21-\x7e]+$/;
/** What a URL parser would take for something else than a host; percent signs also start a zone id. */
const FOREIGN = /[\s%/\\?#@<>^|"'`{}()!$&*+,;=~[\]]/;

/**
 * The one spelling of a host that the whole system compares: a lower-case ASCII name without its trailing dot, a dotted
 * IPv4 address, or a compressed IPv6 address without brackets. Every way of writing an IPv4 address that a C library or a
 * URL parser understands (decimal, octal, hexadecimal, short, IPv4-mapped IPv6) comes out dotted. Undefined for anything
 * that is no host: zone ids, NUL, spaces, `%`, empty or oversized labels, numbers that are no address. Pure.
 */
export function canonicalHost(text: string): string | undefined {
  if (text.length === 0 || text.length > MAX_INPUT) return undefined;
  if (text.startsWith("["))
    return text.endsWith("]") ? canonicalIpv6(text.slice(1, -1)) : undefined;
  if (text.includes(":")) return canonicalIpv6(text);
  if (ASCII.test(text)) return canonicalName(text);
  // Characters below space and DEL are refused here, before the conversion could drop them.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (FOREIGN.test(text) || /[\u0000-\u0020\u007f-\u00a0]/.test(text)) return undefined;
  const ascii = domainToASCII(text);
  return ascii === "" || !ASCII.test(ascii) ? undefined : canonicalName(ascii);
}

/** `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`, the host canonical; undefined where either is none. Pure. */
export function parseAuthority(
  text: string,
): { readonly host: string; readonly port: number | null } | undefined {
  const match = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const host = canonicalHost(match[1] ?? "");
  if (host === undefined) return undefined;
  if (match[2] === undefined) return { host, port: null };
  const port = Number(match[2]);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** `host:port` as it is written in a capability or a URL: IPv6 in brackets. */
export function authorityText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function canonicalName(text: string): string | undefined {
  if (FOREIGN.test(text)) return undefined;
  const name = (text.endsWith(".") ? text.slice(0, -1) : text).toLowerCase();
  if (name.length === 0 || name.length > MAX_NAME) return undefined;
  const labels = name.split(".");
  const last = labels.at(-1) ?? "";
  // WHATWG URL, "ends in a number": such a host is an IPv4 address or nothing.
  if (/^(\d+|0x[0-9a-f]*)$/.test(last)) return canonicalIpv4(labels);
  if (!labels.every((label) => LABEL.test(label))) return undefined;
  if (labels.some((label) => label.startsWith("xn--")) && domainToASCII(name) !== name)
    return undefined;
  return name;
}

/** inet_aton(3): one to four numbers, the last of which fills the bytes that are left. */
function canonicalIpv4(labels: readonly string[]): string | undefined {
  if (labels.length > 4) return undefined;
  const numbers = labels.map(ipv4Number);
  let value = 0;
  for (const [index, number] of numbers.entries()) {
    const isLast = index === numbers.length - 1;
    const limit = isLast ? 256 ** (5 - numbers.length) : 256;
    if (number === undefined || number >= limit) return undefined;
    value += isLast ? number : number * 256 ** (3 - index);
  }
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

function ipv4Number(label: string): number | undefined {
  if (label.length > 16) return undefined;
  if (/^0x[0-9a-f]*$/.test(label)) return label === "0x" ? 0 : Number.parseInt(label, 16);
  if (/^0[0-7]*$/.test(label)) return Number.parseInt(label, 8);
  return /^[1-9]\d*$/.test(label) ? Number(label) : undefined;
}

function canonicalIpv6(text: string): string | undefined {
  if (!/^[0-9a-f:.]{2,45}$/i.test(text) || !isIPv6(text)) return undefined;
  const compressed = new URL(`http://[${text}]/`).hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compressed);
  if (mapped === null) return compressed;
  const [high, low] = [mapped[1] ?? "", mapped[2] ?? ""].map((word) => Number.parseInt(word, 16));
  return [high ?? 0, low ?? 0].flatMap((word) => [word >> 8, word & 255]).join(".");
}
