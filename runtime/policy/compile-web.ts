import type { Compiled, HostFacts, ModelRequest, WebRequest } from "../protocol/compile.js";
import { agentLimits } from "./agent-limits.js";
import { buildPlan } from "./build-plan.js";
import { factOf } from "./compile-grants.js";
import { limitsOf } from "./compile-limits.js";
import { egressListeners, mayUseNetwork } from "./compile-network.js";
import { bound, programPieces } from "./compile-system.js";
import type { Authority } from "./facts-wanted.js";
import { kernelStrength } from "./kernel-strength.js";
import type { LandlockAbi } from "./landlock-abi.js";
import { kernelUnits, pathGrants } from "./path-grants.js";
import { profileOf } from "./program-profiles.js";

/**
 * Node and our script: a web worker with the egress proxy, a model's process without any network. It has no file of the user's, no
 * scratch, and starts nothing.
 */
export function compileWeb(
  request: WebRequest | ModelRequest,
  authority: Authority,
  facts: HostFacts,
  abi: LandlockAbi,
): Compiled {
  const { capabilities, ceiling } = authority;
  const isWeb = request.kind === "web";
  if (isWeb && !mayUseNetwork(capabilities, request)) {
    const message = "no token grants the network";
    return { ok: false, denial: { layer: "token", message, capability: "web_search" } };
  }
  const node = facts.programs.get("node");
  if (node === undefined) return { ok: false, problem: "the program node is not installed" };
  const wanted = pathGrants(capabilities, request);
  const units = kernelUnits(wanted, ceiling, false);
  const standing = new Map();
  const own = [request.script, ...request.trees].map((path) => {
    const { resolved, kind } = factOf(facts.paths, path);
    return bound(resolved, "ro", kind === "dir" ? ["read_file", "read_dir"] : ["read_file"]);
  });
  const parts = {
    kind: "web",
    cgroupName: request.cgroup_name,
    system: [
      ...programPieces([node], facts.root_links),
      ...own,
      { path: "/dev", entry: null, rights: ["read_file", "write_file"] },
      { path: "/proc", entry: null, rights: ["read_file", "read_dir"] },
    ],
    units,
    grants: { pieces: [], standing, problems: [], notes: [] },
    limits: limitsOf(request.kind),
    together: agentLimits(authority),
    listeners: egressListeners(request.kind, isWeb),
    dev: true,
    proc: profileOf("node").proc,
    execLimit: 1,
    executable: node.executable,
    argv: [node.found, request.script, ...request.args],
    env: { LANG: "C.UTF-8", TZ: "UTC" },
    cwd: "/",
    umask: 0o077,
    strength: kernelStrength(capabilities, wanted, units, standing, isWeb),
  } as const;
  return buildPlan(parts, facts, abi);
}
