import type { HostPattern } from "../protocol/capability.js";
import { isAddress } from "./host-pattern.js";
import {
  coversHost,
  inRange,
  isPublicAddress,
  isWildcard,
  matchHost,
  matchHostToDeny,
  type NetworkRule,
} from "./hosts.js";

/** True where a rule of `allow` takes the canonical host. A wildcard takes public hosts only, a range takes its addresses. */
export function hostWithinRules(
  allow: readonly NetworkRule[],
  host: string,
  port: number,
): boolean {
  return allow.some((rule) =>
    rule.kind === "range" ? inRange(host, rule.range) : matchHost(rule.pattern, host, port),
  );
}

/** True where a rule of `deny` takes the canonical host; here a wildcard takes every host. */
export function hostIsDenied(deny: readonly NetworkRule[], host: string, port: number): boolean {
  return deny.some((rule) =>
    rule.kind === "range" ? inRange(host, rule.range) : matchHostToDeny(rule.pattern, host, port),
  );
}

/** True where `pattern` and the rules have a host in common that the policy could let through. */
export function hostMayBeReached(
  allow: readonly NetworkRule[],
  deny: readonly NetworkRule[],
  pattern: HostPattern,
): boolean {
  if (deny.some((rule) => takesWhole(rule, pattern))) return false;
  return allow.some((rule) => meets(rule, pattern));
}

function takesWhole(rule: NetworkRule, pattern: HostPattern): boolean {
  if (rule.kind === "range") return !isWildcard(pattern) && inRange(pattern.host, rule.range);
  if (rule.pattern.host === "*")
    return rule.pattern.port === null || rule.pattern.port === pattern.port;
  return coversHost(rule.pattern, pattern);
}

function meets(rule: NetworkRule, pattern: HostPattern): boolean {
  if (rule.kind === "range") {
    return pattern.host === "*" || (isAddress(pattern.host) && inRange(pattern.host, rule.range));
  }
  const { host, port } = rule.pattern;
  if (port !== null && pattern.port !== null && port !== pattern.port) return false;
  const onAnyPort = { host, port: null };
  const wanted = { host: pattern.host, port: null };
  return coversHost(onAnyPort, wanted) || coversHost(wanted, onAnyPort);
}

/**
 * May a connection to `host` go to `address`, to which the name was resolved? A public address may, unless `deny` takes it; any
 * other only where `allow` names this very host, the address or its range, and the token names the host (`isNamed`).
 */
export function addressWithinRules(
  rules: { readonly allow: readonly NetworkRule[]; readonly deny: readonly NetworkRule[] },
  to: { readonly host: string; readonly port: number; readonly address: string },
  isNamed: boolean,
): boolean {
  if (hostIsDenied(rules.deny, to.address, to.port)) return false;
  if (isPublicAddress(to.address)) return true;
  return isNamed && rules.allow.some((rule) => namesTarget(rule, to));
}

/** Might a private address of `host` be let through: does `allow` name this very host, or speak of addresses at all? */
export function mayNamePrivate(allow: readonly NetworkRule[], host: string, port: number): boolean {
  return allow.some((rule) => {
    if (rule.kind === "range") return true;
    if (isWildcard(rule.pattern)) return false;
    return isAddress(rule.pattern.host) || matchHost(rule.pattern, host, port);
  });
}

function namesTarget(
  rule: NetworkRule,
  to: { readonly host: string; readonly port: number; readonly address: string },
): boolean {
  if (rule.kind === "range") return inRange(to.address, rule.range);
  if (isWildcard(rule.pattern)) return false;
  return matchHost(rule.pattern, to.host, to.port) || matchHost(rule.pattern, to.address, to.port);
}
