import { assertNever } from "../base/assert-never.js";
import type { Capability, CapabilitySource, Grant } from "../protocol/capability.js";
import { buildCapability } from "./build-capability.js";
import { formatHost } from "./host-pattern.js";
import { formatConstraints, splitSource } from "./source.js";

export type ParsedGrant =
  | { readonly ok: true; readonly grant: Grant }
  | { readonly ok: false; readonly problem: string };

/**
 * A capability as an operator wrote it, string or map form, as an object. Anything unknown or malformed is a problem that
 * says how to write it, never an inert capability. Placeholders are not known here: see expand.ts.
 */
export function parseGrant(source: CapabilitySource): ParsedGrant {
  const split = splitSource(source);
  if (!split.ok) return split;
  const { kind, items, constraints } = split.parts;
  const built = buildCapability(kind, items);
  return built.ok ? { ok: true, grant: { capability: built.capability, constraints } } : built;
}

/** The written form; `parseGrant` of it gives the same capability back. */
export function formatCapability(capability: Capability): string {
  const value = formatValue(capability);
  return value === undefined ? capability.kind : `${capability.kind}: ${value}`;
}

/** The written form with its constraints: a map in YAML's flow style where there are any. */
export function formatGrant({ capability, constraints }: Grant): string {
  const limits = formatConstraints(constraints);
  if (limits === "") return formatCapability(capability);
  const value = formatValue(capability);
  return `{${capability.kind}: ${value === undefined ? "true" : JSON.stringify(value)}${limits}}`;
}

function formatValue(capability: Capability): string | undefined {
  switch (capability.kind) {
    case "file_read":
    case "file_write":
      return capability.glob;
    case "exec": {
      const { program, subcommands } = capability;
      return subcommands === null ? program : `${program} ${subcommands.join("|")}`;
    }
    case "network":
      return capability.hosts.map(formatHost).join(", ");
    case "web_search":
      return undefined;
    case "tool":
      return capability.name;
    case "spawn_child":
      return `[${capability.roles.join(", ")}]`;
    case "message_send":
      return `[${capability.agents.join(", ")}]`;
    case "cargo_run":
    case "git_commit":
      return capability.dir;
    default:
      return assertNever(capability);
  }
}
