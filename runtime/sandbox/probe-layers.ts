import { openSync } from "node:fs";
import type { ConfinementPlan } from "../protocol/confinement.js";
import type { Enforced, Machine } from "./confined-agent.js";
import type { LaunchFailure } from "./launcher-wire.js";

/** What a real launch in every layer came to. */
export type LayerProbe =
  | { readonly ok: true; readonly enforced: Enforced }
  | (LaunchFailure & { readonly layer: string; readonly remedy: string });

/**
 * Launches a file worker that is granted nothing, in every layer that any plan of ours asks for: all namespaces, a listener in
 * the network's, `/dev` and `/proc`. What the kernel cannot do is told with its layer and the remedy; nothing is assumed.
 */
export async function probeLayers(
  machine: Pick<Machine, "spawner" | "addon">,
  filesPlan: ConfinementPlan,
): Promise<LayerProbe> {
  const plan: ConfinementPlan = {
    ...filesPlan,
    namespaces: ["user", "mount", "pid", "ipc", "uts", "cgroup", "net"],
    dev: true,
    proc: "pid",
    listeners: [{ protocol: "tcp", address: "127.0.0.1", port: 3_128 }],
  };
  const [ours, theirs] = machine.addon.socketPair();
  // Without the other end the worker finds nothing to do and ends by itself.
  machine.addon.closeFd(ours);
  const nulls = [0, 1, 2].map(() => openSync("/dev/null", "r+"));
  const signal = AbortSignal.timeout(10_000);
  const launched = await machine.spawner.spawn(plan, [...nulls, theirs], signal);
  if (!launched.ok) return { ...launched, ...explain(launched) };
  for (const fd of launched.child.listeners) machine.addon.closeFd(fd);
  await launched.child.exited;
  return { ok: true, enforced: launched.child.enforced };
}

interface Explanation {
  readonly layer: string;
  readonly remedy: string;
}

const USERNS =
  "Allow unprivileged user namespaces: `sysctl user.max_user_namespaces=15000` and, where they exist, `kernel.unprivileged_userns_clone=1` and " +
  "`kernel.apparmor_restrict_unprivileged_userns=0` or an AppArmor profile for aaos-spawn; in a container, a seccomp profile that allows clone and unshare.";
const MOUNTS =
  "Allow mounts in user namespaces: an AppArmor profile for aaos-spawn, or in a container `--security-opt apparmor=unconfined`.";
const PROC =
  "Nothing may be mounted over parts of /proc: leave ProtectKernelTunables=, ProtectKernelLogs=, ProcSubset= and ProtectProc= out of the unit; in a " +
  "container use `--security-opt systempaths=unconfined`.";
const LANDLOCK =
  "Boot a kernel of 6.7 or later with `landlock` in its `lsm=` list (`cat /sys/kernel/security/lsm`).";
const SECCOMP = "Boot a kernel with CONFIG_SECCOMP_FILTER; in a container, allow seccomp(2).";
const NETWORK = "Boot a kernel with CONFIG_NET_NS; in a container, allow CLONE_NEWNET.";
const CGROUP =
  "Start agentd under systemd with `Delegate=cpu memory pids io` and `DelegateSubgroup=daemon`.";
const REINSTALL = "Run `npm run build:native`, or reinstall the package aaos.";

/** Each step of a launch (`native/src/step.h`): its layer, and what to do where it fails. */
const STEPS: Readonly<Record<string, Explanation>> = {
  clone: { layer: "namespaces", remedy: USERNS },
  "id-maps": { layer: "user namespace", remedy: USERNS },
  "private-mounts": { layer: "mount namespace", remedy: MOUNTS },
  root: { layer: "private root", remedy: MOUNTS },
  proc: { layer: "private /proc", remedy: PROC },
  "enter-root": { layer: "private root", remedy: MOUNTS },
  hostname: { layer: "uts namespace", remedy: USERNS },
  loopback: { layer: "network namespace", remedy: NETWORK },
  listeners: { layer: "network namespace", remedy: NETWORK },
  capabilities: { layer: "capabilities", remedy: USERNS },
  "no-new-privs": { layer: "no_new_privs", remedy: USERNS },
  "prepare-landlock": { layer: "landlock", remedy: LANDLOCK },
  landlock: { layer: "landlock", remedy: LANDLOCK },
  limits: {
    layer: "rlimits",
    remedy: "Raise the hard limits of agentd (LimitNOFILE=, LimitNPROC=).",
  },
  "exec-filter": { layer: "seccomp", remedy: SECCOMP },
  seccomp: { layer: "seccomp", remedy: SECCOMP },
  cgroup: { layer: "cgroup", remedy: CGROUP },
};

function explain({ step }: LaunchFailure): Explanation {
  return STEPS[step] ?? { layer: `launcher (${step})`, remedy: REINSTALL };
}
