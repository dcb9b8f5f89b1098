import type { Capability } from "../protocol/capability.js";
import type { KernelStrength, Strength } from "../protocol/compile.js";
import type { Standing } from "./compile-grants.js";
import { formatCapability } from "./grammar.js";
import type { KernelUnit, PathGrant, Units } from "./path-grants.js";

/** How each capability of the agent is held for this process; in the written form, sorted, each once. */
export function kernelStrength(
  capabilities: readonly Capability[],
  grants: readonly PathGrant[],
  units: Units,
  standing: ReadonlyMap<KernelUnit, Standing>,
  network: boolean,
): readonly KernelStrength[] {
  const written = new Map(capabilities.map((one) => [formatCapability(one), one]));
  return [...written.keys()].sort().map((text) => {
    const capability = written.get(text);
    const own = units.units.filter((unit) => unit.capability === text);
    if (own.length > 0) return { capability: text, ...strengthOf(own, standing) };
    const withheld = units.withheld.find((one) => one.capability === text);
    if (withheld !== undefined) return { capability: text, holds: "absent", note: withheld.reason };
    const isPath = grants.some((grant) => grant.capability === text);
    return { capability: text, ...ofOther(capability, isPath, network) };
  });
}

type Held = { readonly holds: Strength; readonly note: string };

function strengthOf(
  units: readonly KernelUnit[],
  standing: ReadonlyMap<KernelUnit, Standing>,
): Held {
  const missing = units.filter((unit) => !["dir", "file"].includes(standing.get(unit) ?? ""));
  const notes = [...new Set(missing.map((unit) => missingNote(unit, standing.get(unit))))].sort();
  const present = units.filter((unit) => !missing.includes(unit));
  const wider = present.filter((unit) => !unit.exact || isListing(unit, standing));
  const wide = [...new Set(wider.map(widerNote))].sort();
  const note = [...wide, ...notes].join("; ");
  if (present.length === 0) return { holds: "absent", note };
  return { holds: wider.length > 0 ? "tree" : "exact", note };
}

function isListing(unit: KernelUnit, standing: ReadonlyMap<KernelUnit, Standing>): boolean {
  return unit.shape === "path" && standing.get(unit) === "dir";
}

function widerNote(unit: KernelUnit): string {
  const verb = unit.right === "read" ? "reading" : "writing";
  if (unit.shape === "path")
    return `the kernel gives listing in all of ${unit.path}, the check above only there`;
  const rest = unit.names === null ? `the pattern ${unit.glob}` : `the name ${unit.names}`;
  return `the kernel gives ${verb} in all of ${unit.path}, the check above holds ${rest}`;
}

function missingNote(unit: KernelUnit, standing: Standing | undefined): string {
  switch (standing) {
    case "link":
      return `${unit.path} leads elsewhere by a symbolic link; grant the path that it leads to`;
    case "other":
      return `${unit.path} is neither a file nor a directory`;
    case "absent":
    case "dir":
    case "file":
    case undefined:
      return `${unit.path} does not exist`;
  }
}

function ofOther(capability: Capability | undefined, isPath: boolean, network: boolean): Held {
  switch (capability?.kind) {
    case "network":
    case "web_search":
      return network
        ? {
            holds: "exact",
            note: "the kernel gives only the egress proxy, which judges every host",
          }
        : { holds: "exact", note: "this process has no socket" };
    case "exec":
      return capability.subcommands === null
        ? { holds: "exact", note: "" }
        : {
            holds: "tree",
            note: "the kernel gives the program, the check above holds its subcommands",
          };
    case "file_read":
    case "file_write":
    case "cargo_run":
    case "git_commit":
      return { holds: "exact", note: isPath ? "" : "this process gets nothing of it" };
    case "tool":
    case "spawn_child":
    case "message_send":
    case undefined:
      return { holds: "check", note: "held by the check at the call" };
  }
}
