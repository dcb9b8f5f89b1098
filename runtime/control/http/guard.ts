import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Caller } from "../../protocol/caller.js";

export type Admission =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly status: 401 | 403; readonly problem: string };

/** Who a request comes from, or why it is turned away before anything of it is read. */
export type Guard = (request: IncomingMessage) => Admission;

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * The guard of the loopback listener: a `Host` of this machine, so that no name that was made to point here gets in; no `Origin` but
 * this machine's, so that no page of a browser does; and the bearer token. Whoever holds the token is `caller`; an empty
 * token is held by nobody.
 */
export function tokenGuard(token: string, caller: Caller): Guard {
  const expected = digest(token);
  return ({ headers }) => {
    if (!isLoopback(headers.host, "http://"))
      return { ok: false, status: 403, problem: "the Host header names another machine" };
    if (headers.origin !== undefined && !isLoopback(headers.origin, ""))
      return { ok: false, status: 403, problem: "requests of foreign pages are refused (Origin)" };
    const given = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1] ?? "";
    if (given === "" || !timingSafeEqual(digest(given), expected))
      return { ok: false, status: 401, problem: "the bearer token is missing or wrong" };
    return { ok: true, caller };
  };
}

/** The guard of the Unix socket: the kernel says who it is, and no page of a browser can open it. */
export function peerGuard(callerOf: (request: IncomingMessage) => Caller): Guard {
  return (request) => {
    const caller = callerOf(request);
    if (caller.uid !== null) return { ok: true, caller };
    return { ok: false, status: 403, problem: "the kernel did not say who asks" };
  };
}

function isLoopback(text: string | undefined, scheme: string): boolean {
  if (text === undefined || !URL.canParse(scheme + text)) return false;
  return LOOPBACK.has(new URL(scheme + text).hostname);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
