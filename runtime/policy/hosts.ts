import ipaddr from "ipaddr.js";
import type { HostPattern } from "../protocol/capability.js";
import { canonicalHost } from "../protocol/host-name.js";
import { isAddress, parseHostEntry } from "./host-pattern.js";

/** Ranges that `ipaddr.js` counts as ordinary but that reach inside: Azure's host service. */
const INSIDE_V4 = ["168.63.129.16/32"];
/** IPv6 that carries or leads to an IPv4 address, and documentation. Sources: RFC 6052, 8215, 3056, 4380, 4291, 9637. */
const EMBEDDED_V6 = [
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "2002::/16",
  "2001::/23",
  "2001:db8::/32",
  "3fff::/20",
];
const GLOBAL_V6 = "2000::/3";
const LOCAL_SUFFIXES = ["localhost", "local", "internal", "home.arpa"];

/**
 * True for an address on the public internet. False for loopback, private, link-local, CGNAT, multicast, unspecified, unique
 * local, metadata, documentation, IPv4 embedded in IPv6 (mapped, NAT64, 6to4, Teredo, ISATAP), and for what is no address.
 */
export function isPublicAddress(ip: string): boolean {
  if (ipaddr.IPv4.isValidFourPartDecimal(ip)) {
    return ipaddr.IPv4.parse(ip).range() === "unicast" && !INSIDE_V4.some((r) => inRange(ip, r));
  }
  if (!ipaddr.IPv6.isValid(ip) || ip.includes("%")) return false;
  const isIsatap = /^(0|200):5efe$/.test(
    ipaddr.IPv6.parse(ip).parts.slice(4, 6).map(hex).join(":"),
  );
  return inRange(ip, GLOBAL_V6) && !isIsatap && !EMBEDDED_V6.some((range) => inRange(ip, range));
}

function hex(part: number): string {
  return part.toString(16);
}

/** False for an address that is not public and for a name that never leaves the local network. A name may still resolve inside. */
export function isPublicHost(host: string): boolean {
  if (isAddress(host)) return isPublicAddress(host);
  return host.includes(".") && !LOCAL_SUFFIXES.some((s) => host === s || host.endsWith(`.${s}`));
}

/** Does a pattern take this canonical host and port? A wildcard takes public hosts only: what is inside must be named. */
export function matchHost(pattern: HostPattern, host: string, port: number): boolean {
  if (pattern.port !== null && pattern.port !== port) return false;
  return (
    pattern.host === host ||
    (isWildcard(pattern) && isPublicHost(host) && matchWild(pattern.host, host))
  );
}

/** As `matchHost`, for a pattern that forbids: a wildcard then takes every host. */
export function matchHostToDeny(pattern: HostPattern, host: string, port: number): boolean {
  if (pattern.port !== null && pattern.port !== port) return false;
  return pattern.host === host || matchWild(pattern.host, host);
}

export function isWildcard(pattern: HostPattern): boolean {
  return pattern.host.startsWith("*");
}

function matchWild(pattern: string, host: string): boolean {
  if (pattern === "*") return true;
  return pattern.startsWith("*.") && !isAddress(host) && host.endsWith(pattern.slice(1));
}

/** True where `outer` takes every host and port that `inner` takes. */
export function coversHost(outer: HostPattern, inner: HostPattern): boolean {
  if (outer.port !== null && outer.port !== inner.port) return false;
  if (outer.host === inner.host) return true;
  if (!isWildcard(outer)) return false;
  if (!isWildcard(inner)) return isPublicHost(inner.host) && matchWild(outer.host, inner.host);
  return matchWild(outer.host, inner.host.slice(2));
}

/** An entry of policy.yaml's `network` lists: a host pattern, or an address range such as `10.0.0.0/8`. */
export type NetworkRule =
  | { readonly kind: "host"; readonly pattern: HostPattern }
  | { readonly kind: "range"; readonly range: string };

export function parseNetworkRule(
  text: string,
):
  | { readonly ok: true; readonly rule: NetworkRule }
  | { readonly ok: false; readonly problem: string } {
  const trimmed = text.trim();
  if (/^[0-9a-f:.]+\/\d{1,3}$/i.test(trimmed)) {
    const isWhole = trimmed.includes(":") || /^\d+\.\d+\.\d+\.\d+\//.test(trimmed);
    return isWhole && ipaddr.isValidCIDR(trimmed)
      ? { ok: true, rule: { kind: "range", range: trimmed } }
      : { ok: false, problem: `'${trimmed}' is no address range` };
  }
  const entry = parseHostEntry(trimmed);
  return entry.ok ? { ok: true, rule: { kind: "host", pattern: entry.pattern } } : entry;
}

/** True where `host` is an address inside `range`. An IPv4-mapped IPv6 address is judged as both. */
export function inRange(host: string, range: string): boolean {
  const address = canonicalHost(host);
  if (address === undefined || !ipaddr.isValid(address)) return false;
  const [base, bits] = ipaddr.parseCIDR(range);
  const parsed = ipaddr.parse(address);
  if (parsed.kind() === base.kind()) return parsed.match(base, bits);
  return parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress()
    ? parsed.toIPv4Address().match(base, bits)
    : false;
}
