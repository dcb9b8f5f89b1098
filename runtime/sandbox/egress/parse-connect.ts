import { parseAuthority } from "../../protocol/host-name.js";
import type { RequestHead } from "./parse-http-head.js";

/** Where a request wants to go. Hosts are canonical. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

export type ProxyRequest =
  | { readonly kind: "connect"; readonly target: Target }
  | { readonly kind: "forward"; readonly target: Target; readonly path: string };

type Refusal =
  | { readonly kind: "bad"; readonly reason: string }
  | { readonly kind: "mismatch"; readonly reason: string };

/**
 * What a proxy request asks for: CONNECT with an authority, or an absolute `http:` URI. The Host field must say the same as
 * the target (RFC 9112 section 3.2.2 lets a proxy ignore it; a mismatch is an attempt to be judged by one name and served
 * by another).
 */
export function parseProxyRequest(head: RequestHead): ProxyRequest | Refusal {
  return head.method === "CONNECT" ? connectRequest(head) : forwardRequest(head);
}

/** An origin-form request that came to a host whose name is known already: its Host must be that one. */
export function parseOriginRequest(
  head: RequestHead,
  expected: Target,
): { readonly kind: "forward"; readonly target: Target; readonly path: string } | Refusal {
  if (head.method === "CONNECT" || !/^(\/|\*$)/.test(head.target))
    return { kind: "bad", reason: "the request target is not a path" };
  if (head.host === null) return { kind: "bad", reason: "Host is missing" };
  return sameHost(head.host, expected, 80)
    ? { kind: "forward", target: expected, path: head.target }
    : { kind: "mismatch", reason: "Host differs from the host that was granted" };
}

function connectRequest(head: RequestHead): ProxyRequest | Refusal {
  const target = parseAuthority(head.target);
  if (target === undefined || target.port === null)
    return { kind: "bad", reason: "CONNECT takes HOST:PORT" };
  if (head.body.kind !== "none") return { kind: "bad", reason: "CONNECT takes no body" };
  const { host, port } = target;
  if (head.host !== null && !sameHost(head.host, { host, port }, port))
    return { kind: "mismatch", reason: "Host differs from the CONNECT target" };
  return { kind: "connect", target: { host, port } };
}

function forwardRequest(head: RequestHead): ProxyRequest | Refusal {
  const match = /^http:\/\/([^/?#\\]*)(\/[^#]*|\?[^#]*)?$/i.exec(head.target);
  const authority = match === null ? undefined : parseAuthority(match[1] ?? "");
  if (match === null || authority === undefined)
    return { kind: "bad", reason: "a proxy request takes an absolute http: URI" };
  const target = { host: authority.host, port: authority.port ?? 80 };
  if (head.host !== null && !sameHost(head.host, target, 80))
    return { kind: "mismatch", reason: "Host differs from the request URI" };
  const rest = match[2] ?? "/";
  return { kind: "forward", target, path: rest.startsWith("/") ? rest : `/${rest}` };
}

/** A Host without a port means the default one; for CONNECT that is whatever the target says. */
function sameHost(text: string, target: Target, defaultPort: number): boolean {
  const authority = parseAuthority(text);
  if (authority === undefined || authority.host !== target.host) return false;
  return (authority.port ?? defaultPort) === target.port;
}
