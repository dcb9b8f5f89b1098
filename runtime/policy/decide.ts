import { assertNever } from "../base/assert-never.js";
import type { Access, AccessKind, AccessOf, Denial, Granted } from "../protocol/access.js";
import type { Capability, CapabilityKind } from "../protocol/capability.js";
import { canonicalHost } from "../protocol/host-name.js";
import type { TokenId } from "../protocol/ids.js";
import type { Token } from "../protocol/token.js";
import { type Ceiling, ceilingAllows, isNeverGrantable } from "./ceiling.js";
import { exactCapability } from "./exact-capability.js";
import { matchGlob } from "./glob.js";
import { splitPath } from "./glob-syntax.js";
import { formatCapability } from "./grammar.js";
import { isPublicHost, isWildcard, matchHost } from "./hosts.js";
import { coversDir, coversToolName, listed, pickNarrowest } from "./narrow.js";
import { addressWithinRules, mayNamePrivate } from "./network-rules.js";
import { isProtectedFrom, protectedEntry } from "./protected-paths.js";

/** A token with its history, as the daemon holds it for one agent. */
export interface HeldToken {
  readonly token: Token;
  /** When it was charged, ms since the epoch, in any order. */
  readonly uses: readonly number[];
  readonly revoked: boolean;
  /** The tokens it was cut from: each must be alive and have room too. */
  readonly ancestors?: readonly HeldToken[];
}

export type Decision<K extends AccessKind> =
  | { readonly ok: true; readonly granted: Granted<K>; readonly charge: readonly TokenId[] }
  | { readonly ok: false; readonly denial: Denial };

/** Why a token that matches does not serve now; the earlier in this list, the sooner it could serve again. */
const OBSTACLES = ["rate_limited", "exhausted", "expired", "revoked"] as const;
type Obstacle = (typeof OBSTACLES)[number];

/**
 * Decides one access, on resolved paths: first the tokens (exists, matches, not revoked, not expired, count and rate left),
 * then the operator's ceiling. Pure, and the only maker of `Granted`. `charge` names the token whose count the caller must
 * record, with its ancestors', before the side effect. The order of `held` does not matter.
 */
export function decide<K extends AccessKind>(
  access: AccessOf<K>,
  held: readonly HeldToken[],
  ceiling: Ceiling,
  nowMs: number,
): Decision<K> {
  const wanted = canonicalAccess(access);
  if (wanted === undefined) return { ok: false, denial: malformed(access) };
  const matching = held.filter(({ token }) => grants(token.capability, wanted));
  const verdict = judgeTokens(matching, wanted, nowMs);
  if (!verdict.ok) {
    const denial = isNeverGrantable(ceiling, wanted)
      ? withoutOffer(verdict.denial)
      : verdict.denial;
    return { ok: false, denial };
  }
  const denial = ceilingAllows(ceiling, wanted);
  if (denial !== undefined) return { ok: false, denial };
  return { ok: true, granted: prove<K>(wanted), charge: [verdict.token.id] };
}

/**
 * May the agent call this tool at all? By `tool: NAME`, or by holding a live capability of `impliedBy`. Where a token names this
 * very tool, that token alone speaks: its limits and its revocation cannot be evaded through an implied one. A tool that was
 * implied charges nothing here; its accesses do.
 */
export function decideTool(
  name: string,
  impliedBy: readonly CapabilityKind[],
  held: readonly HeldToken[],
  nowMs: number,
): Decision<"tool"> {
  const wanted: AccessOf<"tool"> = { kind: "tool", name };
  const matching = held.filter(({ token }) => grants(token.capability, wanted));
  const verdict = judgeTokens(matching, wanted, nowMs);
  if (verdict.ok) return { ok: true, granted: prove<"tool">(wanted), charge: [verdict.token.id] };
  const isNamed = matching.some(({ token: { capability } }) => isTool(capability, name));
  const isImplied = held.some(
    (one) => impliedBy.includes(one.token.capability.kind) && obstacle(one, nowMs) === undefined,
  );
  if (isImplied && !isNamed) return { ok: true, granted: prove<"tool">(wanted), charge: [] };
  return { ok: false, denial: verdict.denial };
}

/**
 * Judges the address that a granted host was resolved to, before it is dialled: undefined where it may be. An address that is
 * not public needs to be named by policy.yaml and by a live token with all its ancestors; a wildcard names nothing.
 */
export function decideAddress(
  to: { readonly host: string; readonly port: number; readonly address: string },
  held: readonly HeldToken[],
  ceiling: Ceiling,
  nowMs: number,
): Denial | undefined {
  const host = canonicalHost(to.host);
  const address = canonicalHost(to.address);
  if (host !== undefined && address !== undefined) {
    const isNamed = held.some(
      (one) => obstacle(one, nowMs) === undefined && namesHost(one, host, to.port),
    );
    if (addressWithinRules(ceiling.network, { host, port: to.port, address }, isNamed)) {
      return undefined;
    }
  }
  const message = `${to.host} leads to ${to.address}, which is refused or not public and named by no token and policy.yaml`;
  return { layer: "egress", message };
}

/**
 * May a private address be reached as this host: does a live token name it, and policy.yaml too, or speak of addresses? Then
 * `decideAddress` has the last word on each.
 */
export function isNamedHost(
  to: { readonly host: string; readonly port: number },
  held: readonly HeldToken[],
  ceiling: Ceiling,
  nowMs: number,
): boolean {
  const host = canonicalHost(to.host);
  if (host === undefined || !mayNamePrivate(ceiling.network.allow, host, to.port)) return false;
  return held.some((one) => obstacle(one, nowMs) === undefined && namesHost(one, host, to.port));
}

function namesHost(one: HeldToken, host: string, port: number): boolean {
  const { capability } = one.token;
  const isNamed =
    capability.kind === "network" &&
    capability.hosts.some((pattern) => !isWildcard(pattern) && matchHost(pattern, host, port));
  return isNamed && (one.ancestors ?? []).every((ancestor) => namesHost(ancestor, host, port));
}

/** A frozen copy, so that what was checked cannot be changed afterwards. */
function prove<K extends AccessKind>(access: Access): Granted<K> {
  const copy =
    access.kind === "exec" ? { ...access, args: Object.freeze([...access.args]) } : { ...access };
  return Object.freeze(copy) as unknown as Granted<K>;
}

/** The access in the form that is compared; undefined where a path is not resolved, a directory holds a star, a host is none. */
function canonicalAccess(access: Access): Access | undefined {
  switch (access.kind) {
    case "file_read":
    case "file_write":
      return splitPath(access.path) === undefined ? undefined : access;
    case "cargo_run":
    case "git_commit":
      return splitPath(access.dir) === undefined || /[*\\]/.test(access.dir) ? undefined : access;
    case "network": {
      const host = canonicalHost(access.host);
      return host === undefined ? undefined : { ...access, host };
    }
    case "exec":
    case "tool":
    case "spawn_child":
    case "message_send":
      return access;
    default:
      return assertNever(access);
  }
}

function malformed(access: Access): Denial {
  const subject = access.kind === "network" ? "the host" : "the path";
  const form =
    access.kind === "network" ? "a host name or address" : "absolute, resolved and plain";
  return { layer: "token", message: `${access.kind}: ${subject} is not ${form}` };
}

type TokenVerdict =
  | { readonly ok: true; readonly token: Token }
  | { readonly ok: false; readonly denial: Denial };

function judgeTokens(matching: readonly HeldToken[], wanted: Access, nowMs: number): TokenVerdict {
  const judged = matching.map((one) => ({ one, obstacle: obstacle(one, nowMs) }));
  const free = judged.filter((entry) => entry.obstacle === undefined);
  const token = pickNarrowest(free.map((entry) => entry.one.token));
  if (token !== undefined) return { ok: true, token };
  const capability = formatCapability(exactCapability(wanted));
  const nearest = OBSTACLES.find((name) => judged.some((entry) => entry.obstacle === name));
  const message =
    nearest === undefined
      ? `no token grants '${capability}'${protectionNote(wanted)}`
      : `the token for '${capability}' is ${OBSTACLE_TEXT[nearest]}`;
  return { ok: false, denial: { layer: "token", message, capability } };
}

/** A wide grant of writing does not take what turns a write into execution; a grant that spells it out does. */
function protectionNote(wanted: Access): string {
  const entry = wanted.kind === "file_write" ? protectedEntry(wanted.path) : undefined;
  return entry === undefined
    ? ""
    : `: ${entry} can make later commands run what was written, so a token must name it`;
}

const OBSTACLE_TEXT: Readonly<Record<Obstacle, string>> = {
  rate_limited: "rate-limited: try again later",
  exhausted: "exhausted: its max_invocations are used up",
  expired: "expired",
  revoked: "revoked",
};

function withoutOffer({ layer, message }: Denial): Denial {
  return { layer, message: `${message}, and none ever can` };
}

/** What keeps this token, or one it was cut from, from serving now. */
function obstacle(one: HeldToken, nowMs: number): Obstacle | undefined {
  const line = [one, ...(one.ancestors ?? [])];
  const found = line.map((each) => ownObstacle(each, nowMs));
  return [...OBSTACLES].reverse().find((name) => found.includes(name));
}

function ownObstacle({ token, uses, revoked }: HeldToken, nowMs: number): Obstacle | undefined {
  if (revoked) return "revoked";
  if (token.expires_at !== null && token.expires_at <= nowMs) return "expired";
  if (token.max_invocations !== null && uses.length >= token.max_invocations) return "exhausted";
  const { rate_limit: rate } = token;
  if (rate === null) return undefined;
  const recent = uses.filter((time) => time > nowMs - rate.per_ms).length;
  return recent >= rate.count ? "rate_limited" : undefined;
}

/** Does the capability alone, whatever its token's state, grant this access? */
function grants(capability: Capability, access: Access): boolean {
  switch (access.kind) {
    case "file_read":
      return capability.kind === access.kind && matchGlob(capability.glob, access.path);
    case "file_write":
      return (
        capability.kind === access.kind &&
        matchGlob(capability.glob, access.path) &&
        !isProtectedFrom(capability.glob, access.path)
      );
    case "exec":
      return capability.kind === "exec" && grantsExec(capability, access);
    case "network":
      return grantsNetwork(capability, access);
    case "tool":
      return capability.kind === "tool" && coversToolName(capability.name, access.name);
    case "spawn_child":
      return capability.kind === "spawn_child" && listed(capability.roles, access.role);
    case "message_send":
      return capability.kind === "message_send" && listed(capability.agents, access.agent);
    case "cargo_run":
    case "git_commit":
      return capability.kind === access.kind && coversDir(capability.dir, access.dir);
    default:
      return assertNever(access);
  }
}

/**
 * The subcommand is the first argument. An option before it is refused where subcommands are named: it may take the next word
 * as its value (`git -C commit push`) or change what runs (`git -c alias.status=!sh status`).
 */
function grantsExec(
  capability: Extract<Capability, { kind: "exec" }>,
  access: AccessOf<"exec">,
): boolean {
  if (capability.program !== access.program) return false;
  const [first] = access.args;
  return (
    capability.subcommands === null ||
    (first !== undefined && capability.subcommands.includes(first))
  );
}

function grantsNetwork(capability: Capability, { host, port }: AccessOf<"network">): boolean {
  if (capability.kind === "web_search") return isPublicHost(host);
  if (capability.kind !== "network") return false;
  return capability.hosts.some((pattern) => matchHost(pattern, host, port));
}

function isTool(capability: Capability, name: string): boolean {
  return capability.kind === "tool" && capability.name === name;
}
