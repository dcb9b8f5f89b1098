import { openSync } from "node:fs";
import { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { FILES_RULES } from "../policy/syscalls/files.js";
import { programRules, webRules } from "../policy/syscalls/program.js";
import { seccompPlan } from "../policy/syscalls/rules.js";
import {
  type ConfinementPlan,
  LANDLOCK_FS_RIGHTS,
  type LandlockFsRight,
} from "../protocol/confinement.js";
import { type Addon, loadAddon } from "../sandbox/addon.js";
import type { ChildExit } from "../sandbox/launcher-wire.js";
import { type Spawner, startSpawner } from "../sandbox/spawner.js";

/** Where `npm run build:native` puts things. */
export const NATIVE_BUILD = fileURLToPath(new URL("../../native/build", import.meta.url));
export const PROBE = `${NATIVE_BUILD}/probe`;

export const READ: readonly LandlockFsRight[] = ["read_file", "read_dir"];
/** A write grant without reading: a drop box. */
export const WRITE: readonly LandlockFsRight[] = ["write_file", "make_reg", "make_dir", "truncate"];

const TABLES = {
  files: FILES_RULES,
  program: programRules({ network: false }),
  networked: programRules({ network: true }),
  web: webRules(),
};

/** The system call table of a kind of process, for the machine this runs on. */
export function syscallsOf(kind: keyof typeof TABLES): ConfinementPlan["seccomp"] {
  return seccompPlan(TABLES[kind], process.arch === "arm64" ? "aarch64" : "x86_64");
}

/** The smallest whole plan: runs the probe, in every layer, with nothing granted. */
export function probePlan(
  argv: readonly string[],
  change: Partial<ConfinementPlan> = {},
): ConfinementPlan {
  return {
    kind: "program",
    hostname: "probe",
    uid: 1000,
    gid: 1000,
    namespaces: ["user", "mount", "pid", "ipc", "uts", "cgroup", "net"],
    root: [{ type: "bind", mode: "exec", path: PROBE }],
    root_size_bytes: 1 << 20,
    dev: true,
    proc: "pid",
    landlock: {
      abi: 6,
      handled_fs: LANDLOCK_FS_RIGHTS.slice(0, 16),
      handled_net: ["bind_tcp", "connect_tcp"],
      scopes: ["abstract_unix_socket", "signal"],
      fs_rules: [{ path: PROBE, rights: ["execute", "read_file"] }],
      net_rules: [],
    },
    seccomp: syscallsOf("program"),
    rlimits: { core: 0, nofile: 128, nproc: 32, fsize: 1 << 24 },
    cgroup: null,
    listeners: [],
    exec_limit: null,
    executable: PROBE,
    argv: ["probe", ...argv],
    env: {},
    cwd: "/",
    umask: 0o77,
    ...change,
  };
}

/** The same plan with more of the host in its root, under Landlock rules of its own. */
export function granting(
  plan: ConfinementPlan,
  entries: readonly ConfinementPlan["root"][number][],
  rules: readonly { readonly path: string; readonly rights: readonly LandlockFsRight[] }[],
): ConfinementPlan {
  const fsRules = rules.map(({ path, rights }) => ({ path, rights: [...rights] }));
  return {
    ...plan,
    root: [...plan.root, ...entries],
    landlock: { ...plan.landlock, fs_rules: [...plan.landlock.fs_rules, ...fsRules] },
  };
}

export interface ProbeRun {
  readonly output: string;
  readonly exit: ChildExit;
  readonly enforced: Readonly<Record<string, string>>;
}

/** A launcher for tests. */
export interface ProbeHost {
  readonly addon: Addon;
  readonly spawner: Spawner;
  /** Runs a plan to its end. Throws where the launch fails, with the step and the errno. */
  readonly run: (plan: ConfinementPlan) => Promise<ProbeRun>;
  readonly close: () => Promise<void>;
}

/** `amendment` (lines such as `omit seccomp` or `pause root`) starts the test build, which alone understands them. */
export function startProbeHost(amendment: readonly string[] = []): ProbeHost {
  const addon = loadAddon(`${NATIVE_BUILD}/aaos.node`);
  const spawner = startSpawner({
    binary: `${NATIVE_BUILD}/${amendment.length > 0 ? "aaos-spawn-ablation" : "aaos-spawn"}`,
    addon,
    amendPlanForTest: (plan) => plan + amendment.map((line) => `${line}\n`).join(""),
  });
  return {
    addon,
    spawner,
    run: (plan) => runPlan(addon, spawner, plan),
    close: () => spawner.close(),
  };
}

async function runPlan(addon: Addon, spawner: Spawner, plan: ConfinementPlan): Promise<ProbeRun> {
  const [readEnd, writeEnd] = addon.pipe();
  const output = readAll(readEnd);
  const fds = [openSync("/dev/null", "r"), writeEnd, openSync("/dev/null", "w")];
  const result = await spawner.spawn(plan, fds, new AbortController().signal);
  if (!result.ok) throw new Error(`${result.step}: ${result.errno} ${result.detail}`.trim());
  const exit = await result.child.exited;
  for (const fd of result.child.listeners) addon.closeFd(fd);
  return { output: (await output).trim(), exit, enforced: result.child.enforced };
}

/** Everything that comes out of a pipe until it closes; takes the descriptor over. */
export function readAll(fd: number): Promise<string> {
  const socket = new Socket({ fd, readable: true, writable: false });
  const chunks: Buffer[] = [];
  return new Promise((resolve) => {
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}
