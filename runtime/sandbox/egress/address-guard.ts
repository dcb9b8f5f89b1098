import ipaddr from "ipaddr.js";

/** Where clouds keep credentials. Azure's and Oracle's are in ranges that look public. */
const METADATA: ReadonlySet<string> = new Set([
  "169.254.169.254",
  "169.254.170.2",
  "169.254.170.23",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "fd00:ec2::254",
  "fd00:ec2::23",
  "fd20:ce::254",
]);
/** RFC 4291 section 2.4: what is allocated as global unicast. All else is special, whatever a table may miss. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR("2000::/3");

export type AddressClass =
  | "public"
  | "loopback"
  | "private"
  | "link_local"
  | "metadata"
  | "own"
  /** Carries an IPv4 address that some router may unwrap: NAT64, 6to4, Teredo, ISATAP, compatible. */
  | "embedded"
  /** Can be dialled by nobody: multicast, broadcast, unspecified, documentation, benchmarking, reserved, no address. */
  | "special";

/** What kind of address a text is. `own` are the machine's interface addresses. Pure. */
export function addressClass(text: string, own: readonly string[]): AddressClass {
  if (text.includes("%") || !ipaddr.isValid(text)) return "special";
  const address = ipaddr.process(text);
  const plain = address.toString();
  if (METADATA.has(plain)) return "metadata";
  const byRange =
    address instanceof ipaddr.IPv4 ? (RANGES[address.range()] ?? "special") : ipv6Class(address);
  return byRange === "public" && own.some((each) => sameAddress(each, plain)) ? "own" : byRange;
}

/**
 * The first of the candidates that must not be dialled, or undefined. One forbidden answer condemns them all: a name that
 * resolves to a public and a private address is being rebound. `named` (token and policy.yaml name this very host) lifts
 * the guard but for addresses that can be no host's.
 */
export function forbiddenAddress(
  addresses: readonly string[],
  own: readonly string[],
  named: boolean,
): { readonly address: string; readonly kind: Exclude<AddressClass, "public"> } | undefined {
  for (const address of addresses) {
    const kind = addressClass(address, own);
    if (kind === "public" || (named && kind !== "special")) continue;
    return { address, kind };
  }
  return undefined;
}

/** By ipaddr.js's name of the range; a range that is not here is special. */
const RANGES: Readonly<Record<string, AddressClass>> = {
  unicast: "public",
  loopback: "loopback",
  linkLocal: "link_local",
  private: "private",
  carrierGradeNat: "private",
  uniqueLocal: "private",
  "6to4": "embedded",
  teredo: "embedded",
  rfc6145: "embedded",
  rfc6052: "embedded",
  ipv4Mapped: "embedded",
};

function ipv6Class(address: ipaddr.IPv6): AddressClass {
  const byRange = RANGES[address.range()] ?? "special";
  if (byRange !== "public") return byRange;
  if (isIsatap(address)) return "embedded";
  return address.match(GLOBAL_UNICAST) ? "public" : compatible(address);
}

/** ::a.b.c.d, deprecated by RFC 4291 but still understood. */
function compatible(address: ipaddr.IPv6): AddressClass {
  return address.parts.slice(0, 6).every((part) => part === 0) ? "embedded" : "special";
}

/** RFC 5214: an interface id of 0000:5efe or 0200:5efe before the IPv4 address. */
function isIsatap(address: ipaddr.IPv6): boolean {
  return address.parts[5] === 0x5efe && ((address.parts[4] ?? 0) & ~0x0200) === 0;
}

function sameAddress(left: string, right: string): boolean {
  const bare = left.split("%")[0] ?? "";
  return ipaddr.isValid(bare) && ipaddr.process(bare).toString() === right;
}
