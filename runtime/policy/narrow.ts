import type { Capability, Grant } from "../protocol/capability.js";
import type { TokenId } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";
import { covers, matchGlob } from "./glob.js";
import { escapeGlob, treeGlob } from "./glob-syntax.js";
import { formatCapability } from "./grammar.js";
import { coversHost } from "./hosts.js";
import { fixedPrefix, isProtectedFrom } from "./protected-paths.js";

/** True only where every access that `child` grants is granted by `parent` too. Conservative. */
export function coversCapability(parent: Capability, child: Capability): boolean {
  switch (parent.kind) {
    case "file_read":
      return child.kind === "file_read" && covers(parent.glob, child.glob);
    case "file_write":
      return child.kind === "file_write" && coversWrite(parent.glob, child.glob);
    case "exec":
      return child.kind === "exec" && coversExec(parent, child);
    case "network":
      return coversNetwork(parent, child);
    case "web_search":
      return child.kind === "web_search";
    case "tool":
      return child.kind === "tool" && coversToolName(parent.name, child.name);
    case "spawn_child":
      return (
        child.kind === "spawn_child" && child.roles.every((role) => listed(parent.roles, role))
      );
    case "message_send":
      return (
        child.kind === "message_send" && child.agents.every((agent) => listed(parent.agents, agent))
      );
    case "cargo_run":
      return child.kind === "cargo_run" && coversDir(parent.dir, child.dir);
    case "git_commit":
      return child.kind === "git_commit" && coversDir(parent.dir, child.dir);
  }
}

/** A narrower grant must not spell out a protected place that the wider one does not take. */
function coversWrite(parent: string, child: string): boolean {
  return covers(parent, child) && !isProtectedFrom(parent, fixedPrefix(child));
}

function coversExec(
  parent: Extract<Capability, { kind: "exec" }>,
  child: Extract<Capability, { kind: "exec" }>,
): boolean {
  if (parent.program !== child.program) return false;
  const { subcommands } = parent;
  if (subcommands === null) return true;
  return child.subcommands?.every((word) => subcommands.includes(word)) ?? false;
}

/** `network: *` covers `web_search`, never the other way round: that one is for web_fetch alone. */
function coversNetwork(
  parent: Extract<Capability, { kind: "network" }>,
  child: Capability,
): boolean {
  if (child.kind === "web_search") {
    return parent.hosts.some((host) => host.host === "*" && host.port === null);
  }
  return (
    child.kind === "network" &&
    child.hosts.every((inner) => parent.hosts.some((outer) => coversHost(outer, inner)))
  );
}

/** `*`, `mcp.SERVER.*` or the name itself. */
export function coversToolName(pattern: string, name: string): boolean {
  if (pattern === "*" || pattern === name) return true;
  return /^mcp\..*\.\*$/.test(pattern) && name.startsWith(pattern.slice(0, -1));
}

/** A list of roles or agents holds the name, or `*`. */
export function listed(names: readonly string[], name: string): boolean {
  return names.includes("*") || names.includes(name);
}

/** The directory itself or anything below it. */
export function coversDir(parent: string, child: string): boolean {
  return matchGlob(treeGlob(escapeGlob(parent)), child);
}

/** What a token carries beside its capability; times in ms since the epoch. */
export type TokenConstraints = Pick<Token, "max_invocations" | "rate_limit" | "expires_at">;

export type Narrowed =
  | { readonly ok: true; readonly parent: TokenId; readonly constraints: TokenConstraints }
  | { readonly ok: false; readonly problem: string };

/**
 * Cuts `child` from one of the parent's tokens: the narrowest that covers it, among equals the least constrained. The child
 * gets the tighter of both constraints. The caller passes no revoked token, counts the child's use against the parent's
 * token too, and revokes both together.
 */
export function narrowGrant(parents: readonly Token[], child: Grant, now: number): Narrowed {
  const covering = parents
    .filter((token) => coversCapability(token.capability, child.capability))
    .filter((token) => token.expires_at === null || token.expires_at > now);
  const parent = pickNarrowest(covering);
  if (parent === undefined) {
    const wanted = formatCapability(child.capability);
    return { ok: false, problem: `no token of the parent covers '${wanted}'` };
  }
  return { ok: true, parent: parent.id, constraints: tighter(parent, child, now) };
}

/** The token whose capability the others' cover; among equals the unlimited one, then the one that lives longest, then by id. */
export function pickNarrowest(tokens: readonly Token[]): Token | undefined {
  const minimal = tokens.filter((token) => !tokens.some((other) => isNarrower(other, token)));
  return [...minimal].sort(byFreedom)[0];
}

function isNarrower(a: Token, b: Token): boolean {
  return (
    coversCapability(b.capability, a.capability) && !coversCapability(a.capability, b.capability)
  );
}

function byFreedom(a: Token, b: Token): number {
  return (
    compare(b.max_invocations ?? Infinity, a.max_invocations ?? Infinity) ||
    compare(ratePerMs(b), ratePerMs(a)) ||
    compare(b.expires_at ?? Infinity, a.expires_at ?? Infinity) ||
    compare(a.id, b.id)
  );
}

function ratePerMs({ rate_limit: rate }: Token): number {
  return rate === null ? Infinity : rate.count / rate.per_ms;
}

function compare<T extends number | string>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function tighter(parent: Token, child: Grant, now: number): TokenConstraints {
  const { max_invocations: max, rate_limit: rate, expires_in_ms: expires } = child.constraints;
  const expiresAt = expires === undefined ? null : now + expires;
  return {
    max_invocations: smaller(parent.max_invocations, max ?? null),
    rate_limit: tighterRate(parent.rate_limit, rate ?? null),
    expires_at: smaller(parent.expires_at, expiresAt),
  };
}

function smaller(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

/** Fewer in a longer time holds both, where neither limit alone would imply the other. */
function tighterRate(a: Token["rate_limit"], b: Token["rate_limit"]): Token["rate_limit"] {
  if (a === null || b === null) return a ?? b;
  return { count: Math.min(a.count, b.count), per_ms: Math.max(a.per_ms, b.per_ms) };
}
