import type { Access, Denial } from "../protocol/access.js";
import { AgentdError } from "../protocol/agentd-error.js";
import type { Capability, Grant } from "../protocol/capability.js";
import type { PolicyFile } from "../protocol/policy-file.js";
import { exactCapability } from "./exact-capability.js";
import { covers, matchGlob, overlaps } from "./glob.js";
import { escapeGlob, normaliseGlob, treeGlob } from "./glob-syntax.js";
import { formatCapability } from "./grammar.js";
import { type NetworkRule, parseNetworkRule } from "./hosts.js";
import { hostIsDenied, hostMayBeReached, hostWithinRules } from "./network-rules.js";

/** Never grantable, whatever a policy says; the concrete places of an installation come in as `never`. */
const NEVER = ["/etc/aaos", "/mnt/data", "/boot", "/proc", "/sys", "/run", "/var/lib/aaos"];
const NEVER_WRITTEN = ["/etc", "/usr"];

interface TreeRules {
  /** Globs of whole trees. */
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly never: readonly string[];
}

/** The operator's policy for one run, compiled: what no token can exceed. Made by `makeCeiling`. */
export interface Ceiling {
  readonly read: TreeRules;
  readonly write: TreeRules;
  readonly network: {
    readonly allow: readonly NetworkRule[];
    readonly deny: readonly NetworkRule[];
  };
  readonly exec: ReadonlySet<string>;
  /** The tree of the run's own workspace, which wins over every rule, for itself alone. */
  readonly workspace: string | null;
}

/**
 * Compiles policy.yaml for one run. `workspace` is the run's own directory, resolved; `never` are places that no policy can
 * open: credentials, database, socket and settings under `--root`, resolved. Throws `invalid_file` on a malformed entry.
 */
export function makeCeiling(
  policy: PolicyFile,
  places: { readonly workspace: string | null; readonly never: readonly string[] },
): Ceiling {
  const never = [...NEVER, ...places.never].map((place) => treeGlob(escapeGlob(place)));
  const writeNever = NEVER_WRITTEN.map(treeGlob);
  return {
    read: { ...trees("read", policy.read), never },
    write: { ...trees("write", policy.write), never: [...never, ...writeNever] },
    network: {
      allow: policy.network.allow.map((text) => networkRule("allow", text)),
      deny: policy.network.deny.map((text) => networkRule("deny", text)),
    },
    exec: new Set(policy.exec.allow),
    workspace: places.workspace === null ? null : treeGlob(escapeGlob(places.workspace)),
  };
}

function trees(section: string, rules: PolicyFile["read"]): Pick<TreeRules, "allow" | "deny"> {
  return {
    allow: rules.allow.map((root) => tree(`${section}.allow`, root)),
    deny: rules.deny.map((root) => tree(`${section}.deny`, root)),
  };
}

function tree(field: string, root: string): string {
  const normal = normaliseGlob(root);
  if (!normal.ok) {
    throw new AgentdError(
      "invalid_file",
      "read policy",
      `policy.yaml: ${field}: ${normal.problem}`,
    );
  }
  return treeGlob(normal.glob);
}

function networkRule(list: "allow" | "deny", text: string): NetworkRule {
  const parsed = parseNetworkRule(text);
  if (parsed.ok) return parsed.rule;
  const message = `policy.yaml: network.${list}: ${parsed.problem}`;
  throw new AgentdError("invalid_file", "read policy", message);
}

/** The refusal of the operator's ceiling, or undefined where it lets the access through. Paths resolved, hosts canonical. */
export function ceilingAllows(ceiling: Ceiling, access: Access): Denial | undefined {
  switch (access.kind) {
    case "file_read":
      return pathDenial(ceiling, "read", access.path, access);
    case "file_write":
      return pathDenial(ceiling, "write", access.path, access);
    case "cargo_run":
      return execDenial(ceiling, "cargo", access) ?? dirDenial(ceiling, access.dir, access);
    case "git_commit":
      return execDenial(ceiling, "git", access) ?? dirDenial(ceiling, access.dir, access);
    case "exec":
      return execDenial(ceiling, access.program, access);
    case "network":
      return networkDenial(ceiling, access);
    case "tool":
    case "spawn_child":
    case "message_send":
      return undefined;
  }
}

/** True where no policy can ever open this access: then no capability is offered in a denial. */
export function isNeverGrantable(ceiling: Ceiling, access: Access): boolean {
  const hits = (rules: TreeRules, path: string): boolean =>
    !inWorkspace(ceiling, path) && rules.never.some((glob) => matchGlob(glob, path));
  switch (access.kind) {
    case "file_read":
      return hits(ceiling.read, access.path);
    case "file_write":
      return hits(ceiling.write, access.path);
    case "cargo_run":
    case "git_commit":
      return hits(ceiling.write, access.dir);
    case "exec":
    case "network":
    case "tool":
    case "spawn_child":
    case "message_send":
      return false;
  }
}

function inWorkspace(ceiling: Ceiling, path: string): boolean {
  return ceiling.workspace !== null && matchGlob(ceiling.workspace, path);
}

function pathDenial(
  ceiling: Ceiling,
  section: "read" | "write",
  path: string,
  access: Access,
): Denial | undefined {
  if (inWorkspace(ceiling, path)) return undefined;
  const rules = ceiling[section];
  if (rules.never.some((glob) => matchGlob(glob, path))) {
    const message = `${path} can never be ${section === "read" ? "read" : "written"} by an agent`;
    return { layer: "policy", message };
  }
  if (rules.deny.some((glob) => matchGlob(glob, path))) {
    return refusal(access, `${path} is refused by ${section}.deny of policy.yaml`);
  }
  if (rules.allow.some((glob) => matchGlob(glob, path))) return undefined;
  return refusal(access, `${path} is outside ${section}.allow of policy.yaml`);
}

/** A directory that a program works in is read and written. */
function dirDenial(ceiling: Ceiling, dir: string, access: Access): Denial | undefined {
  return pathDenial(ceiling, "write", dir, access) ?? pathDenial(ceiling, "read", dir, access);
}

function execDenial(ceiling: Ceiling, program: string, access: Access): Denial | undefined {
  if (ceiling.exec.has(program)) return undefined;
  return refusal(access, `${program} is not in exec.allow of policy.yaml`);
}

function networkDenial(
  ceiling: Ceiling,
  access: Extract<Access, { kind: "network" }>,
): Denial | undefined {
  const { host, port } = access;
  if (hostIsDenied(ceiling.network.deny, host, port)) {
    return refusal(access, `${host}:${port} is refused by network.deny of policy.yaml`);
  }
  if (hostWithinRules(ceiling.network.allow, host, port)) return undefined;
  const message = `${host}:${port} is outside network.allow of policy.yaml`;
  return refusal(access, `${message}; a private or local host needs to be named there`);
}

function refusal(access: Access, message: string): Denial {
  return { layer: "policy", message, capability: formatCapability(exactCapability(access)) };
}

/**
 * What of a grant an agent gets at its start: the whole grant, which is cut at every access, or nothing with the reason where
 * no access of it could ever pass.
 */
export function withinCeiling(
  grant: Grant,
  ceiling: Ceiling,
): { readonly grant: Grant } | { readonly withheld: string } {
  const reason = withheldReason(grant.capability, ceiling);
  return reason === undefined ? { grant } : { withheld: reason };
}

function withheldReason(capability: Capability, ceiling: Ceiling): string | undefined {
  const written = `'${formatCapability(capability)}'`;
  switch (capability.kind) {
    case "file_read":
      return treeReason(written, "read", capability.glob, ceiling);
    case "file_write":
      return treeReason(written, "write", capability.glob, ceiling);
    case "cargo_run":
      return (
        programReason(written, "cargo", ceiling) ?? dirReason(written, capability.dir, ceiling)
      );
    case "git_commit":
      return programReason(written, "git", ceiling) ?? dirReason(written, capability.dir, ceiling);
    case "exec":
      return programReason(written, capability.program, ceiling);
    case "network": {
      const { allow, deny } = ceiling.network;
      const open = capability.hosts.some((pattern) => hostMayBeReached(allow, deny, pattern));
      return open ? undefined : `${written} reaches nothing that network of policy.yaml allows`;
    }
    case "web_search": {
      const { allow, deny } = ceiling.network;
      const open = hostMayBeReached(allow, deny, { host: "*", port: null });
      return open ? undefined : `${written} reaches nothing that network of policy.yaml allows`;
    }
    case "tool":
    case "spawn_child":
    case "message_send":
      return undefined;
  }
}

function programReason(written: string, program: string, ceiling: Ceiling): string | undefined {
  return ceiling.exec.has(program)
    ? undefined
    : `${written}: ${program} is not in exec.allow of policy.yaml`;
}

function dirReason(written: string, dir: string, ceiling: Ceiling): string | undefined {
  const glob = treeGlob(dir);
  return treeReason(written, "write", glob, ceiling) ?? treeReason(written, "read", glob, ceiling);
}

function treeReason(
  written: string,
  section: "read" | "write",
  glob: string,
  ceiling: Ceiling,
): string | undefined {
  if (ceiling.workspace !== null && overlaps(ceiling.workspace, glob)) return undefined;
  const rules = ceiling[section];
  if (rules.never.some((place) => covers(place, glob))) {
    return `${written} lies where no agent may ever ${section}`;
  }
  if (rules.deny.some((place) => covers(place, glob))) {
    return `${written} lies in ${section}.deny of policy.yaml`;
  }
  if (rules.allow.some((place) => overlaps(place, glob))) return undefined;
  return `${written} lies outside ${section}.allow of policy.yaml`;
}
