import type { Compiled, FilesRequest, HostFacts } from "../protocol/compile.js";
import { agentLimits } from "./agent-limits.js";
import { buildPlan } from "./build-plan.js";
import { compileGrants } from "./compile-grants.js";
import { fileWorkerRights } from "./compile-landlock.js";
import { limitsOf } from "./compile-limits.js";
import { bound } from "./compile-system.js";
import type { Authority } from "./facts-wanted.js";
import { kernelStrength } from "./kernel-strength.js";
import type { LandlockAbi } from "./landlock-abi.js";
import { type KernelUnit, kernelUnits, pathGrants } from "./path-grants.js";

/**
 * The file worker: one static program, no socket, no further program, the granted trees and nothing else. Its argv is its grant
 * table (`native/src/file_grants.h`), which holds single names that the kernel cannot.
 */
export function compileFiles(
  request: FilesRequest,
  authority: Authority,
  facts: HostFacts,
  abi: LandlockAbi,
): Compiled {
  const { capabilities, ceiling } = authority;
  const wanted = pathGrants(capabilities, request);
  const units = kernelUnits(wanted, ceiling, true);
  const grants = compileGrants(units.units, units.holes, facts, {
    rights: fileWorkerRights,
    buildDir: null,
    writesGit: false,
    home: null,
    needsWholeScan: false,
  });
  const parts = {
    kind: "files",
    cgroupName: request.cgroup_name,
    system: [bound(request.worker, "exec", ["execute", "read_file"])],
    units,
    grants,
    limits: limitsOf("files"),
    together: agentLimits(authority),
    listeners: [],
    dev: false,
    proc: "none",
    execLimit: 1,
    executable: request.worker,
    argv: ["aaos-files", ...grantTable(units.units)],
    env: {},
    cwd: "/",
    // For operators of the group, who work on what agents made, and for nobody else.
    umask: 0o007,
    strength: kernelStrength(capabilities, wanted, units, grants.standing, false),
  } as const;
  return buildPlan(parts, facts, abi);
}

/** `r`, `w` or `b` for both; `*` for a tree, `=` for exactly this path; the path. Sorted, each path and shape once. */
function grantTable(units: readonly KernelUnit[]): readonly string[] {
  const rights = new Map<string, Set<KernelUnit["right"]>>();
  for (const { path, right, shape, names } of units) {
    const place = shape === "tree" && names === null ? `*${path}` : `=${names ?? path}`;
    rights.set(place, (rights.get(place) ?? new Set()).add(right));
  }
  return [...rights.keys()].sort().map((place) => {
    const held = rights.get(place) ?? new Set();
    return `${held.size === 2 ? "b" : held.has("read") ? "r" : "w"}${place}`;
  });
}
