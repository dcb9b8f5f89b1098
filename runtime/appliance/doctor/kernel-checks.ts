import { readFileSync } from "node:fs";
import { release } from "node:os";
import { dirname } from "node:path";
import type { DoctorCheck } from "../../protocol/control-results.js";
import { bad, good, poor } from "./check.js";

/** Landlock's ABI that guards all that our plans name: files, truncation, devices' ioctls, TCP and the scope of signals. */
const WANTED_LANDLOCK_ABI = 4;
const CONTROLLERS = ["memory", "pids", "cpu", "io"] as const;

/**
 * What confinement needs of the kernel, read from /proc and /sys. `landlockAbi` is the kernel's answer to
 * landlock_create_ruleset(2) with LANDLOCK_CREATE_RULESET_VERSION, 0 where there is none, null where nobody could ask.
 */
export function kernelChecks(landlockAbi: number | null): readonly DoctorCheck[] {
  return [
    good("kernel", `Linux ${release()}`),
    landlock(landlockAbi),
    seccomp(),
    userns(),
    cgroup(),
  ];
}

function landlock(abi: number | null): DoctorCheck {
  const modules = readOr("/sys/kernel/security/lsm")?.split(",");
  if (abi === null) {
    if (modules === undefined || modules.includes("landlock"))
      return good("landlock", modules === undefined ? "not told by this kernel" : "enabled");
    return bad(
      "landlock",
      `is not among the security modules ${modules.join(", ")}`,
      BOOT_LANDLOCK,
    );
  }
  if (abi === 0) return bad("landlock", "this kernel has none, or it is off", BOOT_LANDLOCK);
  if (abi >= WANTED_LANDLOCK_ABI) return good("landlock", `ABI ${abi}`);
  const detail = `ABI ${abi}, and ${WANTED_LANDLOCK_ABI} is wanted`;
  return poor("landlock", detail, "Boot a kernel of 6.7 or later.");
}

const BOOT_LANDLOCK = "Boot a kernel of 6.7 or later with `landlock` in its `lsm=` list.";

function seccomp(): DoctorCheck {
  const actions = readOr("/proc/sys/kernel/seccomp/actions_avail")?.split(" ");
  if (actions === undefined)
    return bad(
      "seccomp",
      "this kernel has no filters",
      "Boot a kernel with CONFIG_SECCOMP_FILTER.",
    );
  const missing = ["kill_process", "errno"].filter((action) => !actions.includes(action));
  if (missing.length === 0) return good("seccomp", `filters: ${actions.join(" ")}`);
  return bad("seccomp", `without ${missing.join(", ")}`, "Boot a kernel of 4.14 or later.");
}

/** user_namespaces(7); the two other switches are Debian's and Ubuntu's own. */
function userns(): DoctorCheck {
  const name = "user namespaces";
  const most = Number(readOr("/proc/sys/user/max_user_namespaces") ?? Number.NaN);
  if (!Number.isFinite(most))
    return bad(name, "this kernel has none", "Boot a kernel with CONFIG_USER_NS.");
  if (most === 0)
    return bad(
      name,
      "user.max_user_namespaces is 0",
      "Run `sysctl user.max_user_namespaces=15000`.",
    );
  if (readOr("/proc/sys/kernel/unprivileged_userns_clone") === "0")
    return bad(name, "for root alone", "Run `sysctl kernel.unprivileged_userns_clone=1`.");
  if (readOr("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1")
    return poor(
      name,
      `at most ${most}, and AppArmor restricts them`,
      "Load an AppArmor profile for aaos-spawn, or run `sysctl kernel.apparmor_restrict_unprivileged_userns=0`.",
    );
  return good(name, `at most ${most}`);
}

/** Cgroups v2, and which controllers were handed to this process's parent group, as `Delegate=` does. */
function cgroup(): DoctorCheck {
  const all = readOr("/sys/fs/cgroup/cgroup.controllers");
  if (all === undefined)
    return poor(
      "cgroup",
      "no cgroup v2 at /sys/fs/cgroup: rlimits stand in for memory and process limits",
      "Boot with systemd.unified_cgroup_hierarchy=1.",
    );
  const own = /^0::(\/.+)$/m.exec(readOr("/proc/self/cgroup") ?? "")?.[1] ?? "/";
  const here = readOr(`/sys/fs/cgroup${dirname(own)}/cgroup.controllers`)?.split(" ") ?? [];
  const missing = CONTROLLERS.filter((name) => !here.includes(name));
  const detail = `v2: ${all}`;
  if (missing.length === 0) return good("cgroup", detail);
  return poor(
    "cgroup",
    `${detail}; not here: ${missing.join(", ")}`,
    "Run agentd under its unit, with `Delegate=cpu memory pids io`.",
  );
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return undefined;
  }
}
