import { existsSync } from "node:fs";
import type { ConfinementPlan } from "../protocol/confinement.js";
import type { Layer } from "./attempt.js";

/** The test build leaves these out by itself; the others are left out of the plan. */
export const OMITTED_BY_LAUNCHER: ReadonlySet<Layer> = new Set<Layer>([
  "root",
  "landlock",
  "seccomp",
  "net",
  "rlimits",
  "noexec",
  "protect",
  "caps",
]);

const NAMESPACE_LAYERS: ReadonlySet<string> = new Set<Layer>(["pid", "ipc", "cgroup"]);

/** The same plan as far as these layers can be left out of it. */
export function withoutLayers(plan: ConfinementPlan, layers: readonly Layer[]): ConfinementPlan {
  const left = new Set<string>(layers);
  const namespaces = plan.namespaces.filter(
    (name) => !NAMESPACE_LAYERS.has(name) || !left.has(name),
  );
  // The host's files take the place of the private root's: a rule for one that is not there would fail the launch.
  const rules = plan.landlock.fs_rules.filter(({ path }) => !left.has("root") || existsSync(path));
  return {
    ...plan,
    namespaces,
    // Only the owner of a pid namespace may mount its /proc.
    proc: left.has("pid") ? "none" : plan.proc,
    exec_limit: left.has("exec-limit") ? null : plan.exec_limit,
    landlock: {
      ...plan.landlock,
      fs_rules: left.has("pid")
        ? rules.filter(({ path }) => !/^\/proc(\/|$)/.test(path) || left.has("root"))
        : rules,
    },
  };
}
