import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfinementPlan } from "./confinement.js";
import { decodeField, encodeField, encodePlan } from "./confinement-wire.js";

const GOLDEN = new URL("../../native/test/golden-plan.txt", import.meta.url);

/** Every kind of line once; `native/test/plan_test.cc` reads the same file and must write it back byte for byte. */
const plan = ConfinementPlan.parse({
  kind: "program",
  hostname: "tool-01",
  uid: 1000,
  gid: 1000,
  namespaces: ["user", "mount", "pid", "ipc", "uts", "cgroup", "net"],
  root_size_bytes: 1_048_576,
  root: [
    { type: "dir", path: "/home" },
    { type: "bind", mode: "exec", path: "/usr/bin/git" },
    { type: "symlink", path: "/lib64", target: "usr/lib64" },
    { type: "bind", mode: "rw", path: "/data/out put" },
    { type: "bind", mode: "ro", path: "/data/ünï" },
    { type: "bind", mode: "write", path: "/data/drop" },
    { type: "bind", mode: "rwx", path: "/data/target" },
    { type: "protect", path: "/data/out put/repo/.git" },
    { type: "tmpfs", path: "/tmp", size_bytes: 16_777_216, inodes: 1024, executable: false },
    { type: "tmpfs", path: "/build", size_bytes: 4096, inodes: 8, executable: true },
    { type: "file", path: "/etc/resolv.conf", content: "nameserver 127.0.0.1\n# 100%\n" },
  ],
  dev: true,
  proc: "pid",
  landlock: {
    abi: 6,
    handled_fs: [
      "execute",
      "write_file",
      "read_file",
      "read_dir",
      "refer",
      "truncate",
      "ioctl_dev",
    ],
    handled_net: ["bind_tcp", "connect_tcp"],
    scopes: ["abstract_unix_socket", "signal"],
    fs_rules: [
      { path: "/", rights: ["read_dir"] },
      { path: "/usr/bin/git", rights: ["execute", "read_file"] },
    ],
    net_rules: [{ port: 3128, rights: ["connect_tcp"] }],
  },
  seccomp: {
    arch: "x86_64",
    default_action: "ENOSYS",
    rules: [
      { name: "read", nr: 0, action: "allow", checks: [] },
      { name: "clone", nr: 56, action: "allow", checks: [{ arg: 0, mask: 2114060288, value: 0 }] },
      { name: "clone", nr: 56, action: "EPERM", checks: [] },
      {
        name: "socket",
        nr: 41,
        action: "allow",
        checks: [
          { arg: 0, mask: 0xffff_ffff, value: 2 },
          { arg: 1, mask: 0xfff7_f7ff, value: 1 },
        ],
      },
      { name: "reboot", nr: 169, action: "kill", checks: [] },
    ],
  },
  rlimits: { core: 0, nofile: 256 },
  cgroup: {
    parent: "/sys/fs/cgroup/system.slice/agentd.service/agents",
    group: {
      name: "01ABC",
      memory_max_bytes: 1_140_850_688,
      pids_max: 196,
      cpu_weight: 50,
      io_weight: null,
    },
    name: "p1",
    memory_max_bytes: 536_870_912,
    pids_max: 64,
    cpu_max_millis: 1500,
    io_weight: null,
  },
  listeners: [
    { protocol: "tcp", address: "127.0.0.1", port: 3128 },
    { protocol: "udp", address: "127.0.0.1", port: 53 },
    { protocol: "tcp", address: "0.0.0.0", port: 443 },
  ],
  exec_limit: 1,
  executable: "/usr/bin/git",
  argv: ["git", "commit", "-m", "two words\nand a line", ""],
  env: { HOME: "/tmp", LANG: "C.UTF-8", EMPTY: "" },
  cwd: "/data/out put",
  umask: 0o27,
});

describe("the written form of a confinement plan", () => {
  it("is the golden file that the launcher's own test reads", async () => {
    expect(encodePlan(plan)).toBe(await readFile(GOLDEN, "utf8"));
  });

  it("holds no byte but printable ASCII and the newlines between lines", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        fc.pre(!text.includes("\0"));
        const field = encodeField(text);
        expect(field).toMatch(/^[!-~]*$/);
        expect(decodeField(field)).toBe(text);
      }),
    );
  });

  it("refuses a NUL byte, which would cut a path or an argument short", () => {
    expect(() => encodeField("/data\0/etc")).toThrow(RangeError);
  });

  it("refuses a path with a dot segment, and takes names that only begin with dots", () => {
    const path = (value: string) =>
      ConfinementPlan.shape.root.element.safeParse({ type: "dir", path: value });
    for (const bad of ["/", "data", "/a/../b", "/a/.", "/a//b", "/a/", "/..", ""])
      expect(path(bad).success, bad).toBe(false);
    for (const good of ["/a", "/a/..b", "/.git", "/a/...", "/a b/c"])
      expect(path(good).success, good).toBe(true);
  });
});
