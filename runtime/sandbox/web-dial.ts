import { lookup } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import { isIP, type LookupFunction } from "node:net";
import { rootCertificates } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent } from "undici";
import { errorText } from "../base/error-text.js";
import type { Denial } from "../protocol/access.js";
import type { PortFailure } from "../protocol/ports.js";
import { portFailure } from "./port-failure.js";

export interface WebOptions {
  /** Refuses an address that a granted host leads to: private, loopback and metadata addresses that were not named. */
  readonly judgeAddress: (host: string, port: number, address: string) => Denial | undefined;
  /** Addresses of a name; the system's resolver by default. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  readonly proxy?: string;
  /** PEM files of certificate authorities, beside the built-in ones. */
  readonly ca_files: readonly string[];
}

/**
 * A dispatcher that connects to nothing but addresses of `host` that were judged here, resolved once: what the name means at
 * the time of the connection no longer matters. The caller destroys it. Behind a proxy it is the proxy that resolves; a name
 * that this machine cannot resolve is then left to it.
 */
export async function dialerFor(
  { host, port }: { readonly host: string; readonly port: number },
  tls: boolean,
  options: WebOptions,
): Promise<Dispatcher | PortFailure> {
  const resolved = await resolve(host, options);
  if (resolved instanceof Error && options.proxy === undefined) {
    return portFailure("unavailable", `${host} cannot be resolved: ${errorText(resolved)}`);
  }
  const addresses = resolved instanceof Error ? [] : resolved;
  const allowed: string[] = [];
  let denial: Denial | undefined;
  for (const address of addresses) {
    const refused = options.judgeAddress(host, port, address);
    if (refused) denial ??= refused;
    else allowed.push(address);
  }
  if (denial && allowed.length === 0) {
    return { ok: false, kind: "denied", message: denial.message, denial };
  }
  const ca = await authorities(options.ca_files);
  if (options.proxy !== undefined) {
    return new ProxyAgent({ uri: options.proxy, proxyTunnel: tls, requestTls: ca, proxyTls: ca });
  }
  return new Agent({ connect: { ...ca, lookup: pinned(allowed) } });
}

async function resolve(host: string, options: WebOptions): Promise<readonly string[] | Error> {
  if (isIP(host) !== 0) return [host];
  try {
    const addresses = await (options.lookup ?? systemLookup)(host);
    return addresses.length > 0 ? addresses : new Error("it has no address");
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
  }
}

async function systemLookup(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** dns.lookup's shape, answering with what was judged before, whatever is asked. */
function pinned(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_hostname, options, callback) => {
    const first = found[0];
    if (first === undefined) callback(new Error("no address was judged"), "", 0);
    else if (options.all === true) callback(null, found);
    else callback(null, first.address, first.family);
  };
}

async function authorities(files: readonly string[]): Promise<{ ca?: string[] }> {
  if (files.length === 0) return {};
  const own = await Promise.all(files.map((file) => readFile(file, "utf8")));
  return { ca: [...rootCertificates, ...own] };
}
