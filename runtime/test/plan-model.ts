import type { ConfinementPlan, LandlockFsRight, RootEntry } from "../protocol/confinement.js";

export type ModelRight = "read" | "write" | "execute";

const isWithin = (path: string, root: string) => path === root || path.startsWith(`${root}/`);

/**
 * What the kernel would allow on a path of the host under a plan, by the rules of mounts and of Landlock and by nothing else: a
 * reference for the compiler's tests, slow and obvious.
 */
export function planAllows(plan: ConfinementPlan, path: string, right: ModelRight): boolean {
  const needed: Readonly<Record<ModelRight, LandlockFsRight>> = {
    read: "read_file",
    write: "write_file",
    execute: "execute",
  };
  const isInLandlock = plan.landlock.fs_rules.some(
    (rule) => isWithin(path, rule.path) && rule.rights.includes(needed[right]),
  );
  const mount = mountOf(plan.root, path);
  if (!isInLandlock || mount === undefined) return false;
  switch (right) {
    case "read":
      return true;
    case "write":
      return mount === "rw" || mount === "rwx" || mount === "write";
    case "execute":
      return mount === "exec" || mount === "rwx";
  }
}

type Mount = Extract<RootEntry, { type: "bind" }>["mode"];

/** How the host's own file at a path is mounted; undefined where it is not to be seen. */
function mountOf(root: readonly RootEntry[], path: string): Mount | undefined {
  const around = root.filter((entry) => entry.type !== "dir" && isWithin(path, entry.path));
  const nearest = around.reduce<RootEntry | undefined>(
    (best, entry) => (best === undefined || entry.path.length > best.path.length ? entry : best),
    undefined,
  );
  switch (nearest?.type) {
    case "bind":
      return nearest.mode;
    case "protect":
      return "ro";
    case "tmpfs":
    case "dir":
    case "symlink":
    case "file":
    case undefined:
      return undefined;
  }
}
