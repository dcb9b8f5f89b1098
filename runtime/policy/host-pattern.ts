import type { HostPattern } from "../protocol/capability.js";
import { canonicalHost } from "../protocol/host-name.js";

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  "http:": 80,
  "https:": 443,
  "ws:": 80,
  "wss:": 443,
};

export type HostEntry =
  | { readonly ok: true; readonly pattern: HostPattern }
  | { readonly ok: false; readonly problem: string };

/** One host of a `network:` capability or of policy.yaml: HOST[:PORT], a URL, `[IPv6]`, `*` or `*.example.com`. */
export function parseHostEntry(text: string): HostEntry {
  if (text === "") return { ok: false, problem: "an empty host" };
  if (text.includes("://")) return parseUrlEntry(text);
  if (/^[^[].*:.*:/.test(text) || text.startsWith("::")) {
    return { ok: false, problem: `'${text}': write an IPv6 address in brackets: [${text}]` };
  }
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text);
  const port = match?.[2] === undefined ? null : parsePort(match[2]);
  if (port === undefined) return { ok: false, problem: `'${text}': a port is 1 to 65535` };
  const host = canonicalPattern(match?.[1] ?? "");
  if (host === undefined) return { ok: false, problem: hostProblem(text) };
  return { ok: true, pattern: { host, port } };
}

function parseUrlEntry(text: string): HostEntry {
  const url = hasControl(text) ? undefined : parseUrl(text);
  if (url === undefined) return { ok: false, problem: `'${text}' is no URL` };
  if (url.username !== "" || url.password !== "") {
    return { ok: false, problem: "a URL here must not carry a user name or password" };
  }
  const port = url.port === "" ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  const host = canonicalHost(url.hostname);
  if (port === undefined || host === undefined) {
    return { ok: false, problem: `'${text}' is no URL of http or https with a host` };
  }
  return { ok: true, pattern: { host, port } };
}

/** `*`, `*.name` or a host. */
function canonicalPattern(text: string): string | undefined {
  if (text === "*") return "*";
  if (!text.startsWith("*.")) return canonicalHost(text);
  const base = canonicalHost(text.slice(2));
  return base === undefined || isAddress(base) ? undefined : `*.${base}`;
}

/** True for an address in canonical form, false for a name. */
export function isAddress(host: string): boolean {
  return host.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(host);
}

/** Written form: `example.com:443`, `[::1]:80`, `*`. */
export function formatHost({ host, port }: HostPattern): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === null ? name : `${name}:${port}`;
}

function hostProblem(text: string): string {
  if (text.includes("/")) return `'${text}': write a host, or a whole URL with https://`;
  if (text.includes("@")) return "a host here must not carry a user name";
  if (text.includes("*")) return `'${text}': a star stands alone or as '*.example.com'`;
  return `'${text}' is no host name or address`;
}

function parsePort(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function hasControl(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  return /[\u0000-\u0020\u007f]/.test(text);
}

function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}
