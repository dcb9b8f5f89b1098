import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, openSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfinementPlan } from "../protocol/confinement.js";
import {
  granting,
  NATIVE_BUILD,
  PROBE,
  type ProbeHost,
  probePlan,
  READ,
  startProbeHost,
  syscallsOf,
  WRITE,
} from "../test/confined.js";

const run = promisify(execFile);
let host: ProbeHost;
let dir: string;

beforeAll(async () => {
  host = startProbeHost();
  dir = await mkdtemp(join(tmpdir(), "aaos-launch-"));
  await chmod(dir, 0o755);
  await mkdir(`${dir}/in`);
  await mkdir(`${dir}/out`);
  await writeFile(`${dir}/in/file`, "content");
  await writeFile(`${dir}/secret`, "secret");
});
afterAll(async () => {
  await host.close();
  await rm(dir, { recursive: true, force: true });
});

const answer = async (plan: ConfinementPlan, on = host) => {
  const { output, exit } = await on.run(plan);
  return output === "" ? (exit.signal ?? `exit ${exit.exit_code}`) : output;
};
const bare = async (...argv: readonly string[]) => (await run(PROBE, argv)).stdout.trim();
/** The same plan under the test build without these layers. */
const without = async (layers: readonly string[], plan: ConfinementPlan) => {
  const ablated = startProbeHost([`omit ${layers.join(" ")}`]);
  try {
    return await answer(plan, ablated);
  } finally {
    await ablated.close();
  }
};
const readable = (...argv: string[]) =>
  granting(
    probePlan(argv),
    [{ type: "bind", mode: "ro", path: `${dir}/in` }],
    [{ path: `${dir}/in`, rights: READ }],
  );
const dropBox = (...argv: string[]) =>
  granting(
    probePlan(argv),
    [{ type: "bind", mode: "write", path: `${dir}/out` }],
    [{ path: `${dir}/out`, rights: WRITE }],
  );
const writable = (...argv: string[]) =>
  granting(
    probePlan(argv),
    [{ type: "bind", mode: "rw", path: `${dir}/out` }],
    [{ path: `${dir}/out`, rights: [...READ, ...WRITE, "remove_file", "refer", "remove_dir"] }],
  );

const PAUSED_MAIN = fileURLToPath(new URL("../test/paused-launch-main.js", import.meta.url));

/** A launch that waits at a step of the test build's choice, and its first process. */
async function pausedLaunch(on: ProbeHost) {
  const abort = new AbortController();
  const fds = [0, 1, 2].map(() => openSync("/dev/null", "r+"));
  const result = on.spawner.spawn(probePlan(["linger"]), fds, abort.signal);
  const path = `/proc/${on.spawner.pid}/task/${on.spawner.pid}/children`;
  for (;;) {
    await sleep(50);
    const child = (await readFile(path, "utf8")).trim();
    if (child !== "") return { child, result, abort };
  }
}

async function isGone(pid: string): Promise<boolean> {
  for (let tries = 0; tries < 1_500; tries++) {
    const state = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
    if (state === "" || /\) Z/.test(state)) return true;
    await sleep(20);
  }
  return false;
}

describe("the plan's parser in C++", () => {
  it("reads the golden plan, writes it back, and refuses every broken line", async () => {
    const golden = fileURLToPath(new URL("../../native/test/golden-plan.txt", import.meta.url));
    const { stdout } = await run(`${NATIVE_BUILD}/plan_test`, [golden]);
    expect(stdout).toBe("ok\n");
  });

  it("knows no way to leave a layer out in the shipped build", async () => {
    const ablated = startProbeHost(["omit seccomp"]);
    const { enforced } = await ablated.run(probePlan(["none"]));
    expect(enforced["omitted"]).toBe("seccomp");
    await ablated.close();
    const { stdout } = await run("grep", ["-c", "omitted", `${NATIVE_BUILD}/aaos-spawn`]).catch(
      (failed: { stdout: string }) => failed,
    );
    expect(stdout.trim()).toBe("0");
  });
});

describe("the private root", () => {
  it("a file outside every grant is not there; a granted one is read", async () => {
    expect(await answer(readable("read", `${dir}/secret`))).toBe("ENOENT");
    expect(await answer(readable("stat", `${dir}/secret`))).toBe("ENOENT");
    expect(await answer(readable("read", "/etc/passwd"))).toBe("ENOENT");
    expect(await answer(readable("read", `${dir}/in/file`))).toBe("ok");
    expect(await bare("read", `${dir}/secret`)).toBe("ok");
  });

  it("nothing is written through a read-only grant, nor its attributes changed", async () => {
    expect(await answer(readable("write", `${dir}/in/file`))).toMatch(/EROFS|EACCES/);
    expect(await answer(readable("open_truncate", `${dir}/in/file`))).toMatch(/EROFS|EACCES/);
    for (const change of ["chmod", "utimes", "setxattr"])
      expect(await answer(readable(change, `${dir}/in/file`)), change).toBe("EROFS");
    expect(await answer(readable("create", `${dir}/in/new`))).toMatch(/EROFS|EACCES/);
    expect(await answer(readable("create", "/new"))).toMatch(/EROFS|EACCES/);
    expect(await answer(writable("create", `${dir}/out/new`))).toBe("ok");
    expect((await readFile(`${dir}/in/file`, "utf8")).length).toBe(7);
  });

  it("write access without read access is write-only", async () => {
    await writeFile(`${dir}/out/box`, "x", { mode: 0o666 });
    for (const refused of ["read", "read_write", "unlink"])
      expect(await answer(dropBox(refused, `${dir}/out/box`)), refused).toBe("EACCES");
    expect(await answer(dropBox("list", `${dir}/out`))).toBe("EACCES");
    expect(await answer(dropBox("append", `${dir}/out/box`))).toBe("ok");
    expect(await readFile(`${dir}/out/box`, "utf8")).toBe("xx");
  });

  it("a protected path is read-only and none of its ancestors can be renamed away", async () => {
    await mkdir(`${dir}/out/repo/.git/hooks`, { recursive: true });
    const guarded = (...argv: string[]) => {
      const plan = writable(...argv);
      return {
        ...plan,
        root: [...plan.root, { type: "protect" as const, path: `${dir}/out/repo/.git/hooks` }],
      };
    };
    expect(await answer(guarded("create", `${dir}/out/repo/.git/hooks/evil`))).toBe("EROFS");
    for (const ancestor of ["repo", "repo/.git", "repo/.git/hooks"])
      expect(
        await answer(guarded("rename", `${dir}/out/${ancestor}`, `${dir}/out/${ancestor}-2`)),
        ancestor,
      ).toBe("EBUSY");
    expect(await answer(guarded("create", `${dir}/out/repo/file`))).toBe("ok");
    expect(await without(["protect"], guarded("create", `${dir}/out/repo/.git/hooks/evil`))).toBe(
      "ok",
    );
    expect(await answer(writable("rename", `${dir}/out/repo/.git`, `${dir}/out/moved`))).toBe("ok");
  });

  it("a protected path that does not exist fails the launch rather than leave a ghost", async () => {
    const plan = writable("none");
    const root = [...plan.root, { type: "protect" as const, path: `${dir}/out/absent` }];
    await expect(host.run({ ...plan, root })).rejects.toThrow(/root: ENOENT .*absent/);
    await expect(stat(`${dir}/out/absent`)).rejects.toThrow(/ENOENT/);
  });

  it("a grant whose path is a symbolic link fails the launch", async () => {
    await run("ln", ["-sfn", "/etc", `${dir}/link`]);
    const entries = [{ type: "bind" as const, mode: "ro" as const, path: `${dir}/link` }];
    const plan = granting(probePlan(["none"]), entries, []);
    await expect(host.run(plan)).rejects.toThrow(/root: ELOOP/);
  });

  it("devices are the harmless five", async () => {
    for (const node of ["mem", "kmsg", "tty", "fuse", "net/tun"])
      expect(await answer(probePlan(["stat", `/dev/${node}`])), node).toBe("ENOENT");
    const plan = granting(probePlan(["read", "/dev/zero"]), [], [{ path: "/dev", rights: READ }]);
    expect(await answer(plan)).toBe("ok");
    expect(await answer(writable("mknod_char", `${dir}/out/null`))).toBe("EPERM");
  });

  it("A22-36 U17 /proc shows the sandbox's own processes only, and takes no writing", async () => {
    const proc = (...argv: string[]) =>
      granting(probePlan(argv), [], [{ path: "/proc", rights: READ }]);
    expect(await answer(proc("read", `/proc/${process.pid}/environ`))).toBe("ENOENT");
    expect(await answer(proc("read", "/proc/self/status"))).toBe("ok");
    expect(await answer(proc("read", "/proc/1/environ"))).toMatch(/ENOENT|EACCES/);
    expect(await answer(proc("write_self_mem"))).toMatch(/EACCES|EROFS/);
    expect(await bare("write_self_mem")).toBe("ok");
  });

  it("a tmpfs is full at its size", async () => {
    const tmp = (size: number) =>
      granting(
        probePlan(["fill", "/tmp/f"], { rlimits: {} }),
        [{ type: "tmpfs", path: "/tmp", size_bytes: size, inodes: 16, executable: false }],
        [{ path: "/tmp", rights: [...READ, ...WRITE] }],
      );
    expect(await answer(tmp(1 << 20))).toBe("ENOSPC");
  });
});

describe("execution", () => {
  it("what was written cannot be run, not even as a mapping", async () => {
    await run("cp", [PROBE, `${dir}/out/copy`]);
    const everything = granting(
      probePlan([]),
      [{ type: "bind", mode: "rw", path: `${dir}/out` }],
      [{ path: `${dir}/out`, rights: [...READ, "execute"] }],
    );
    const with_ = (...argv: string[]) => ({ ...everything, argv: ["probe", ...argv] });
    expect(await answer(with_("exec", `${dir}/out/copy`))).toBe("EACCES");
    expect(await answer(with_("map_exec_file", `${dir}/out/copy`))).toBe("EPERM");
    expect(await without(["noexec"], with_("exec", `${dir}/out/copy`))).not.toBe("EACCES");
    expect(await answer(probePlan(["memfd_exec"]))).toBe("EPERM");
    expect(await bare("memfd_exec")).toBe("ok");
  });

  it("a program that is in the root but not granted does not run", async () => {
    const entries = [
      { type: "bind" as const, mode: "exec" as const, path: `${NATIVE_BUILD}/true` },
    ];
    const [read] = READ;
    const rules = [{ path: `${NATIVE_BUILD}/true`, rights: read === undefined ? [] : [read] }];
    const plan = granting(probePlan(["exec", `${NATIVE_BUILD}/true`]), entries, rules);
    expect(await answer(plan)).toBe("EACCES");
    expect(await without(["landlock"], plan)).toBe("ok");
    const granted = granting(
      plan,
      [],
      [{ path: `${NATIVE_BUILD}/true`, rights: ["execute", "read_file"] }],
    );
    expect(await answer(granted)).toBe("ok");
  });

  it("once means once: the second execve is refused and counted", async () => {
    const once = await host.run(probePlan(["exec_self", PROBE], { exec_limit: 1 }));
    expect(once.output).toBe("EACCES");
    expect(once.exit.execs_refused).toBe(1);
    expect(await answer(probePlan(["exec_self", PROBE], { exec_limit: 2 }))).toBe("ok");
  });
});

describe("system calls", () => {
  const refused: readonly (readonly [string, string])[] = [
    ["mount", "EPERM"],
    ["umount", "EPERM"],
    ["chroot", "EPERM"],
    ["pivot_root", "EPERM"],
    ["fsopen", "EPERM"],
    ["open_tree", "EPERM"],
    ["unshare_user", "EPERM"],
    ["unshare_all", "EPERM"],
    ["clone_user", "EPERM"],
    ["clone3_user", "ENOSYS"],
    ["bpf", "EPERM"],
    ["perf", "EPERM"],
    ["userfaultfd", "EPERM"],
    ["io_uring", "EPERM"],
    ["keyctl", "EPERM"],
    ["add_key", "EPERM"],
    ["handle", "EPERM"],
    ["reboot", "EPERM"],
    ["sethostname", "EPERM"],
    ["settimeofday", "EPERM"],
    ["ptrace", "EPERM"],
    ["process_vm", "EPERM"],
    ["unknown_call", "ENOSYS"],
    ["setuid", "EPERM"],
    ["raise_caps", "EPERM"],
    ["x32", "SIGSYS"],
    ["int80", "SIGSYS"],
    ["tiocsti", "EPERM"],
    ["ioctl_terminal", "ENOTTY"],
  ];
  it.each(refused)("%s answers %s", async (probe, expected) => {
    expect(await answer(probePlan([probe, "1"]))).toBe(expected);
  });

  it("A22-19 clone3, whose flags a filter cannot see, is not there; clone, which programs fall back to, is judged by its flags", async () => {
    expect(await answer(probePlan(["clone3_user"]))).toBe("ENOSYS");
    expect(await answer(probePlan(["clone_user"]))).toBe("EPERM");
    expect(await answer(probePlan(["fork"]))).toBe("ok");
    expect(await without(["seccomp"], probePlan(["clone3_user"]))).toBe("ok");
  });

  it("what only seccomp refuses is allowed without it", async () => {
    for (const probe of ["unshare_user", "clone_user", "clone3_user", "ptrace", "memfd_exec"])
      expect(await without(["seccomp"], probePlan([probe])), probe).toBe("ok");
  });

  it("processes and pairs of sockets are allowed, threads only in the web worker", async () => {
    expect(await answer(probePlan(["fork"]))).toBe("ok");
    expect(await answer(probePlan(["socketpair"]))).toBe("ok");
    const seccomp = syscallsOf("web");
    expect(await answer(probePlan(["fork"], { seccomp }))).toBe("EPERM");
  });

  it("no capability is left, not even in the bounding set, and none can be gained", async () => {
    expect(await answer(probePlan(["bounding"]))).toBe("EPERM");
    expect(await answer(probePlan(["privileged"]))).toBe("EPERM");
    expect(await without(["caps"], probePlan(["bounding"]))).toBe("ok");
  });
});

describe("the network", () => {
  const networked = (...argv: string[]) => probePlan(argv, { seccomp: syscallsOf("networked") });

  it("no socket of any family without a grant", async () => {
    for (const family of [
      "tcp",
      "udp",
      "mptcp",
      "raw",
      "packet",
      "netlink",
      "vsock",
      "alg",
      "unix",
    ])
      expect(await answer(probePlan([family])), family).toBe("EPERM");
    expect(await answer(networked("tcp"))).toBe("ok");
    expect(await answer(networked("udp"))).toBe("ok");
  });

  it("with a grant: TCP and UDP, and nothing that walks past the rules on connect", async () => {
    for (const family of ["mptcp", "sctp", "raw", "packet", "netlink", "vsock", "alg", "unix"])
      expect(await answer(networked(family)), family).toBe("EPERM");
    expect(await answer(networked("fastopen", "3128"))).toBe("EPERM");
    expect(await answer(networked("listen"))).toBe("EPERM");
    expect(await answer(networked("bind_tcp"))).toBe("EACCES");
    expect(await answer(networked("connect_outside"))).toBe("EACCES");
    expect(await answer(networked("udp_outside"))).toBe("ENETUNREACH");
  });

  it("only the handed-over listener is reached, and it is the daemon that holds it", async () => {
    const [listener] = [{ protocol: "tcp" as const, address: "127.0.0.1" as const, port: 3128 }];
    const plan = networked("connect_loopback", "3128");
    const connect = { port: 3128, rights: ["connect_tcp" as const] };
    const granted: ConfinementPlan = {
      ...plan,
      listeners: [listener],
      landlock: { ...plan.landlock, net_rules: [connect] },
    };
    expect(await answer(granted)).toBe("ok");
    expect(await answer({ ...granted, listeners: [] })).toBe("ECONNREFUSED");
    expect(await answer({ ...granted, argv: ["probe", "connect_loopback", "22"] })).toBe("EACCES");
  });

  it("the host's own loopback is not there", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await new Promise((ready) => server.once("listening", ready));
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const plan = networked("connect_loopback", String(port));
    const landlock = { ...plan.landlock, net_rules: [{ port, rights: ["connect_tcp" as const] }] };
    expect(await bare("connect_loopback", String(port))).toBe("ok");
    expect(await answer({ ...plan, landlock })).toBe("ECONNREFUSED");
    expect(await without(["net"], { ...plan, landlock })).toBe("ok");
    server.close();
  });
});

describe("processes", () => {
  it("sees no process of the host, and is the init's child", async () => {
    expect(await answer(probePlan(["kill", String(process.pid)]))).toBe("ESRCH");
    expect(await answer(probePlan(["pidfd_open", String(process.pid)]))).toMatch(/ESRCH|EINVAL/);
    expect(await answer(probePlan(["pid"]))).toBe("2 init\nok");
    expect(await bare("kill", String(process.pid))).toBe("ok");
  });

  it("no descriptor and no environment but what was passed", async () => {
    for (const fd of ["3", "4", "10", "64", "65"])
      expect(await answer(probePlan(["extra_fd", fd])), fd).toBe("EBADF");
    expect(await answer(probePlan(["extra_fd", "1"]))).toBe("ok");
    expect(await answer(probePlan(["env", "PATH"]))).toBe("ENOENT");
    expect(await answer(probePlan(["env", "PATH"], { env: { PATH: "/usr/bin" } }))).toBe("ok");
  });

  // The kernel does not count root's processes; agentd is never root.
  it.skipIf(process.getuid?.() === 0)("a fork bomb ends at its limit", async () => {
    expect(await answer(probePlan(["fork_bomb"]))).toBe("EAGAIN");
  });

  it("limits hold: open files, sizes", async () => {
    expect(await answer(probePlan(["open_many"]))).toBe("EMFILE");
    expect(await answer(writable("sparse_file", `${dir}/out/sparse`))).toBe("EFBIG");
    expect(await without(["rlimits"], probePlan(["open_many"]))).not.toBe("EMFILE");
  });

  it("whatever the program left running dies with it", async () => {
    expect(await answer(writable("daemonize", `${dir}/out/marker`))).toBe("ok");
    await sleep(2_500);
    expect(await readdir(`${dir}/out`)).not.toContain("marker");
  });

  it("SIGTERM reaches the program; SIGKILL ends one that ignores it; an abort too", async () => {
    const start = async (probe: string, signal = new AbortController().signal) => {
      const pipe = host.addon.pipe();
      host.addon.closeFd(pipe[0]);
      const fds = [
        pipe[1],
        ...[1, 2]
          .map(() => host.addon.pipe())
          .map(([r, w]) => {
            host.addon.closeFd(r);
            return w;
          }),
      ];
      const result = await host.spawner.spawn(probePlan([probe]), fds, signal);
      if (!result.ok) throw new Error(result.step);
      await sleep(50);
      return result.child;
    };
    const polite = await start("wait_term");
    polite.kill("SIGTERM");
    expect((await polite.exited).signal).toBe("SIGTERM");
    const stubborn = await start("linger");
    stubborn.kill("SIGTERM");
    await sleep(50);
    stubborn.kill();
    expect((await stubborn.exited).signal).toBe("SIGKILL");
    const aborting = new AbortController();
    const aborted = await start("linger", aborting.signal);
    aborting.abort();
    expect((await aborted.exited).signal).toBe("SIGKILL");
  });
});

/** A cgroup v2 directory that this test may make leaves in, or null. */
async function delegatedCgroup(): Promise<string | null> {
  for (const mount of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]) {
    const own = (await readFile("/proc/self/cgroup", "utf8")).match(/^0::(.*)$/m)?.[1] ?? "/";
    const parent = join(mount, own, `aaos-test-${process.pid}`);
    try {
      await stat(join(mount, "cgroup.controllers"));
      await mkdir(parent);
      return parent;
    } catch {
      // Not mounted there, or not ours.
    }
  }
  return null;
}

describe("the cgroup leaf", () => {
  const leaf = (parent: string, change = {}) => ({
    parent,
    group: null,
    name: "leaf",
    memory_max_bytes: null,
    pids_max: null,
    cpu_max_millis: null,
    io_weight: null,
    ...change,
  });

  it("is entered at the clone and removed at the end", async ({ skip }) => {
    const parent = await delegatedCgroup();
    if (parent === null) return skip("no cgroup v2 is delegated to this user");
    try {
      const paused = startProbeHost(["pause landlock"]);
      const abort = new AbortController();
      const fds = [0, 1, 2].map(() => openSync("/dev/null", "r+"));
      const plan = probePlan(["none"], { cgroup: leaf(parent) });
      const result = paused.spawner.spawn(plan, fds, abort.signal);
      await sleep(200);
      expect((await readFile(`${parent}/leaf/cgroup.procs`, "utf8")).trim()).toMatch(/^\d+$/);
      abort.abort();
      expect((await result).ok).toBe(false);
      await paused.close();
      expect(await answer(plan)).toBe("ok");
      // The kernel lets go of a leaf a moment after its last process.
      for (let tries = 0; tries < 100 && existsSync(`${parent}/leaf`); tries++) await sleep(20);
      await expect(stat(`${parent}/leaf`)).rejects.toThrow(/ENOENT/);
    } finally {
      await rmdir(parent);
    }
  });

  it("of an agent lies in the agent's group, which is there while one of its leaves is", async ({
    skip,
  }) => {
    const parent = await delegatedCgroup();
    if (parent === null) return skip("no cgroup v2 is delegated to this user");
    const none = { memory_max_bytes: null, pids_max: null, cpu_weight: null, io_weight: null };
    const group = { name: "agent", ...none };
    const inGroup = (name: string, program = ["none"]) =>
      probePlan(program, { cgroup: leaf(parent, { group, name }) });
    try {
      const paused = startProbeHost(["pause landlock"]);
      const abort = new AbortController();
      const fds = [0, 1, 2].map(() => openSync("/dev/null", "r+"));
      const first = paused.spawner.spawn(inGroup("first"), fds, abort.signal);
      await sleep(200);
      const procs = await readFile(`${parent}/agent/first/cgroup.procs`, "utf8");
      expect(procs.trim()).toMatch(/^\d+$/);
      expect(await answer(inGroup("second"))).toBe("ok");
      expect(existsSync(`${parent}/agent/first`)).toBe(true);
      abort.abort();
      expect((await first).ok).toBe(false);
      await paused.close();
      for (let tries = 0; tries < 100 && existsSync(`${parent}/agent`); tries++) await sleep(20);
      expect(existsSync(`${parent}/agent`)).toBe(false);
    } finally {
      await rmdir(parent);
    }
  });

  it("whose controller is missing fails the launch and leaves no leaf", async ({ skip }) => {
    const parent = await delegatedCgroup();
    if (parent === null) return skip("no cgroup v2 is delegated to this user");
    try {
      // A parent without controllers enabled for its children has no pids.max in them.
      const plan = probePlan(["none"], { cgroup: leaf(parent, { pids_max: 16 }) });
      await expect(host.run(plan)).rejects.toThrow(/cgroup: (ENOENT|EACCES) pids.max/);
      await expect(stat(`${parent}/leaf`)).rejects.toThrow(/ENOENT/);
    } finally {
      await rmdir(parent);
    }
  });
});

describe("the launch", () => {
  it("a failing step runs nothing and says which and why", async () => {
    const cwd = { cwd: "/nowhere" };
    await expect(host.run(probePlan(["none"], cwd))).rejects.toThrow("directory: ENOENT");
    const executable = { executable: "/nowhere" };
    await expect(host.run(probePlan(["none"], executable))).rejects.toThrow(
      /exec: (ENOENT|EACCES)/,
    );
    const { landlock } = probePlan([]);
    const future = { landlock: { ...landlock, abi: 60 } };
    await expect(host.run(probePlan(["none"], future))).rejects.toThrow(
      /prepare-landlock: E(NOTSUP|OPNOTSUPP)/,
    );
    const rules = granting(probePlan(["none"]), [], [{ path: "/absent", rights: READ }]);
    await expect(host.run(rules)).rejects.toThrow("landlock: ENOENT /absent");
  });

  it("a hundred at once all end, and leave no process behind", async () => {
    const runs = Array.from({ length: 100 }, () => host.run(probePlan(["none"])));
    expect((await Promise.all(runs)).every(({ output }) => output === "ok")).toBe(true);
    const path = `/proc/${host.spawner.pid}/task/${host.spawner.pid}/children`;
    expect(await readFile(path, "utf8").catch(() => "")).toBe("");
  });

  it("closing the launcher kills what runs", async () => {
    const other = startProbeHost();
    const fds = [0, 1, 2]
      .map(() => other.addon.pipe())
      .map(([r, w]) => {
        other.addon.closeFd(r);
        return w;
      });
    const signal = new AbortController().signal;
    const result = await other.spawner.spawn(probePlan(["linger"]), fds, signal);
    if (!result.ok) throw new Error(result.step);
    await other.close();
    expect((await result.child.exited).signal).toBe("SIGKILL");
    await expect(stat(`/proc/${result.child.pid}`)).rejects.toThrow(/ENOENT/);
    const late = await other.spawner.spawn(probePlan(["none"]), [], signal);
    expect(late).toMatchObject({ ok: false, step: "launcher" });
  });

  const steps = [
    "descriptors",
    "id-maps",
    "private-mounts",
    "root",
    "proc",
    "enter-root",
    "hostname",
    "loopback",
    "listeners",
    "capabilities",
    "no-new-privs",
    "landlock",
    "release",
    "exec",
  ];
  it.each(steps)("killed at step %s, child or launcher, nothing is left", async (step) => {
    const paused = startProbeHost([`pause ${step}`]);
    const { child, result, abort } = await pausedLaunch(paused);
    // At the last step the program runs already: what is paused is the init's watch over it.
    if (step === "exec") await result;
    abort.abort();
    expect((await result).ok).toBe(step === "exec");
    expect(await isGone(child)).toBe(true);
    const again = await pausedLaunch(paused);
    if (step === "exec") await again.result;
    process.kill(paused.spawner.pid, "SIGKILL");
    expect((await again.result).ok).toBe(step === "exec");
    expect(await isGone(again.child)).toBe(true);
    await paused.close();
  });

  it.each(steps)("killed at step %s, the whole daemon, nothing is left", async (step) => {
    const daemon = spawn(process.execPath, [PAUSED_MAIN, step], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [said] = (await once(daemon.stdout, "data")) as [Buffer];
    const [launcher = "", child = ""] = said.toString().trim().split(" ");
    await stat(`/proc/${child}`);
    daemon.kill("SIGKILL");
    expect(await isGone(child)).toBe(true);
    expect(await isGone(launcher)).toBe(true);
  });

  it("a killed launcher takes every sandbox with it", async () => {
    const lost = startProbeHost();
    const fds = [0, 1, 2]
      .map(() => lost.addon.pipe())
      .map(([r, w]) => {
        lost.addon.closeFd(r);
        return w;
      });
    const signal = new AbortController().signal;
    const result = await lost.spawner.spawn(probePlan(["linger"]), fds, signal);
    if (!result.ok) throw new Error(result.step);
    process.kill(lost.spawner.pid, "SIGKILL");
    expect((await result.child.exited).signal).toBe("SIGKILL");
    await sleep(100);
    await expect(stat(`/proc/${result.child.pid}/exe`)).rejects.toThrow();
  });
});
