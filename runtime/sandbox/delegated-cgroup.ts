import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { HostFacts } from "../protocol/compile.js";

const ROOT = "/sys/fs/cgroup";
const CONTROLLERS = ["memory", "pids", "cpu", "io"] as const;

/**
 * The cgroup v2 subtree that was delegated to this daemon (systemd `Delegate=` with `DelegateSubgroup=`: we sit in a leaf of our
 * own, so that its siblings may have controllers), with every controller that it lets us hand on; null where none was. Makes
 * `agents` beside us, in which each confined process gets its leaf.
 */
export function delegatedCgroup(): HostFacts["cgroup"] {
  try {
    const own = /^0::(\/.+)$/m.exec(readFileSync("/proc/self/cgroup", "utf8"))?.[1];
    if (own === undefined) return null;
    const parent = join(ROOT, dirname(own));
    if (parent === ROOT) return null;
    accessSync(join(parent, "cgroup.procs"), constants.W_OK);
    const agents = join(parent, "agents");
    enable(parent);
    mkdirSync(agents, { recursive: true });
    return { parent: agents, controllers: enable(agents) };
  } catch {
    // Not ours, or no v2 hierarchy: rlimits stand in, and every report says so.
    return null;
  }
}

/** Hands on each controller that is there; a missing one is left out. Returns those that children now have. */
function enable(dir: string): readonly (typeof CONTROLLERS)[number][] {
  const there = readFileSync(join(dir, "cgroup.controllers"), "utf8").trim().split(" ");
  for (const name of CONTROLLERS.filter((each) => there.includes(each))) {
    writeFileSync(join(dir, "cgroup.subtree_control"), `+${name}`);
  }
  const enabled = readFileSync(join(dir, "cgroup.subtree_control"), "utf8").trim().split(" ");
  return CONTROLLERS.filter((name) => enabled.includes(name));
}
