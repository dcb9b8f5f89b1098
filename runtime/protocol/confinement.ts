import { z } from "zod";

/**
 * Everything the kernel is told about one confined process, as data. `policy/compile.ts` makes it from tokens,
 * `confinement-wire.ts` writes it down, `native/src/plan.h` mirrors it, and `aaos-spawn` carries it out whole or not at all.
 * Paths are absolute, normalised (no `.`, `..`, `//` or trailing slash) and free of symbolic links: a link on the way to a
 * mount's source fails the launch.
 */

/** An absolute, normalised path; never `/` itself, which is the private root. */
export const PlanPath = z
  .string()
  .max(4_000)
  .regex(/^(\/(?!\.{1,2}(\/|$))[^/\0]+)+$/, "must be absolute and normalised");

/** What the file system and Landlock call it; the order is the kernel's bit order (`linux/landlock.h`). */
export const LANDLOCK_FS_RIGHTS = [
  "execute",
  "write_file",
  "read_file",
  "read_dir",
  "remove_dir",
  "remove_file",
  "make_char",
  "make_dir",
  "make_reg",
  "make_sock",
  "make_fifo",
  "make_block",
  "make_sym",
  "refer",
  "truncate",
  "ioctl_dev",
  "resolve_unix",
] as const;
export const LandlockFsRight = z.enum(LANDLOCK_FS_RIGHTS);
export type LandlockFsRight = z.infer<typeof LandlockFsRight>;

export const LANDLOCK_NET_RIGHTS = ["bind_tcp", "connect_tcp"] as const;
export const LandlockNetRight = z.enum(LANDLOCK_NET_RIGHTS);
export type LandlockNetRight = z.infer<typeof LandlockNetRight>;

export const LANDLOCK_SCOPES = ["abstract_unix_socket", "signal"] as const;
export const LandlockScope = z.enum(LANDLOCK_SCOPES);
export type LandlockScope = z.infer<typeof LandlockScope>;

/**
 * How a granted tree (or single file) appears in the private root. All are nosuid and nodev.
 * `ro` and `rw` are noexec; `exec` is read-only and executable; `write` is mounted like `rw`, and Landlock withholds the
 * reading; `rwx` is the named exception for a build directory whose products must run.
 */
const MOUNT_MODES = ["ro", "rw", "exec", "write", "rwx"] as const;
export const MountMode = z.enum(MOUNT_MODES);
export type MountMode = z.infer<typeof MountMode>;

export const RootEntry = z.discriminatedUnion("type", [
  /** `path` of the host at the same path inside, with everything mounted below it. */
  z.strictObject({ type: z.literal("bind"), path: PlanPath, mode: MountMode }),
  /**
   * Read-only (and noexec) inside a writable bind. It must exist; its ancestors up to the bind are pinned by the launcher, so
   * that none of them can be renamed away.
   */
  z.strictObject({ type: z.literal("protect"), path: PlanPath }),
  z.strictObject({
    type: z.literal("tmpfs"),
    path: PlanPath,
    size_bytes: z.int().positive(),
    inodes: z.int().positive(),
    executable: z.boolean(),
  }),
  z.strictObject({ type: z.literal("dir"), path: PlanPath }),
  z.strictObject({ type: z.literal("symlink"), path: PlanPath, target: z.string().min(1) }),
  /** A small read-only file made up for the sandbox (`/etc/resolv.conf`, `/etc/passwd`). */
  z.strictObject({ type: z.literal("file"), path: PlanPath, content: z.string().max(16_384) }),
]);
export type RootEntry = z.infer<typeof RootEntry>;

export const LandlockPlan = z.strictObject({
  /** The ABI this was compiled for; a kernel with less fails the launch. */
  abi: z.int().min(1).max(64),
  handled_fs: z.array(LandlockFsRight),
  handled_net: z.array(LandlockNetRight),
  scopes: z.array(LandlockScope),
  /** Rights at and below a path of the private root. Rights that only a directory has are dropped for a file. */
  fs_rules: z.array(
    z.strictObject({
      path: z.union([PlanPath, z.literal("/")]),
      rights: z.array(LandlockFsRight).min(1),
    }),
  ),
  net_rules: z.array(
    z.strictObject({
      port: z.int().min(0).max(65_535),
      rights: z.array(LandlockNetRight).min(1),
    }),
  ),
});
export type LandlockPlan = z.infer<typeof LandlockPlan>;

export const SECCOMP_ARCHES = ["x86_64", "aarch64"] as const;
export const SeccompArch = z.enum(SECCOMP_ARCHES);
export type SeccompArch = z.infer<typeof SeccompArch>;

/** `allow`, `kill` (the whole process), or the errno that the call answers. */
const SECCOMP_ACTIONS = [
  "allow",
  "kill",
  "EPERM",
  "EACCES",
  "ENOSYS",
  "ENOTTY",
  "EINVAL",
  "EAFNOSUPPORT",
  "EPROTONOSUPPORT",
  "EOPNOTSUPP",
] as const;
export const SeccompAction = z.enum(SECCOMP_ACTIONS);
export type SeccompAction = z.infer<typeof SeccompAction>;

const U32 = z.int().min(0).max(0xffff_ffff);

/** Holds when `(low 32 bits of argument & mask) == value`: exact for arguments that the kernel takes as `int`. */
export const SeccompCheck = z.strictObject({
  arg: z.int().min(0).max(5),
  mask: U32,
  value: U32,
});
export type SeccompCheck = z.infer<typeof SeccompCheck>;

/** Rules of one number are tried in order, the first whose checks all hold decides; none: the default does. */
export const SeccompRule = z.strictObject({
  name: z.string().regex(/^[a-z0-9_]{1,40}$/),
  nr: z.int().min(0).max(4_095),
  action: SeccompAction,
  checks: z.array(SeccompCheck).max(6),
});
export type SeccompRule = z.infer<typeof SeccompRule>;

/** A foreign architecture, x32 included, kills the process whatever this says. */
export const SeccompPlan = z.strictObject({
  arch: SeccompArch,
  default_action: SeccompAction.exclude(["allow"]),
  rules: z.array(SeccompRule).min(1).max(600),
});
export type SeccompPlan = z.infer<typeof SeccompPlan>;

const RLIMITS = [
  "as",
  "core",
  "cpu",
  "data",
  "fsize",
  "memlock",
  "nofile",
  "nproc",
  "stack",
] as const;
const Rlimit = z.enum(RLIMITS);

const CgroupName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

/** The group of one agent: what all its confined processes may use together, by the tokens that it holds. */
export const CgroupGroup = z.strictObject({
  name: CgroupName,
  memory_max_bytes: z.int().positive().nullable(),
  pids_max: z.int().positive().nullable(),
  cpu_weight: z.int().min(1).max(10_000).nullable(),
  io_weight: z.int().min(1).max(10_000).nullable(),
});
export type CgroupGroup = z.infer<typeof CgroupGroup>;

/**
 * A cgroup v2 leaf, made by the launcher at `parent/name`, or in its agent's group at `parent/group/name`, entered at clone, killed as
 * a whole and removed, the group with its last leaf. A limit is null where its controller is not delegated: then rlimits stand in,
 * and the launch report says so.
 */
export const CgroupPlan = z.strictObject({
  parent: PlanPath,
  group: CgroupGroup.nullable(),
  name: CgroupName,
  memory_max_bytes: z.int().positive().nullable(),
  pids_max: z.int().positive().nullable(),
  /** Thousandths of one CPU: 1500 is one and a half. */
  cpu_max_millis: z.int().positive().nullable(),
  io_weight: z.int().min(1).max(10_000).nullable(),
});
export type CgroupPlan = z.infer<typeof CgroupPlan>;

/** A socket opened inside the sandbox's own network namespace and handed to the daemon; nobody inside holds it. */
export const EgressListener = z.strictObject({
  protocol: z.enum(["tcp", "udp"]),
  address: z.enum(["127.0.0.1", "0.0.0.0"]),
  port: z.int().min(1).max(65_535),
});
export type EgressListener = z.infer<typeof EgressListener>;

const CONFINEMENT_KINDS = ["files", "program", "web"] as const;

/** The namespaces every confined process gets; `files` may do without `net`, having no socket call at all. */
const NAMESPACES = ["user", "mount", "pid", "ipc", "uts", "cgroup", "net"] as const;
const Namespace = z.enum(NAMESPACES);

export const ConfinementPlan = z.strictObject({
  kind: z.enum(CONFINEMENT_KINDS),
  hostname: z.string().regex(/^[a-z0-9-]{1,60}$/),
  /** The ids seen inside; outside they are the daemon's own. */
  uid: z.int().min(0).max(65_534),
  gid: z.int().min(0).max(65_534),
  namespaces: z.array(Namespace),
  /** The private root: a read-only tmpfs that holds these and nothing else. Any order; parents are made. */
  root: z.array(RootEntry).max(1_000),
  /** Size of the root's own tmpfs. */
  root_size_bytes: z.int().positive(),
  /** null, zero, full, random and urandom, and the links to /proc/self/fd. */
  dev: z.boolean(),
  /** A fresh, read-only /proc of the sandbox's own processes: `pid` hides everything else, `full` does not, `none` has none. */
  proc: z.enum(["pid", "full", "none"]),
  landlock: LandlockPlan,
  seccomp: SeccompPlan,
  rlimits: z.partialRecord(Rlimit, z.int().min(0)),
  cgroup: CgroupPlan.nullable(),
  listeners: z.array(EgressListener).max(8),
  /** How many times execve may be called, the launch itself included (1 is "once"); over it: EACCES. null is without limit. */
  exec_limit: z.int().min(1).max(1_000_000).nullable(),
  /** The program, a path of the private root, and its whole argv, argv[0] included. */
  executable: PlanPath,
  argv: z.array(z.string()).min(1).max(4_096),
  /** The whole environment. */
  env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string()),
  cwd: z.union([PlanPath, z.literal("/")]),
  umask: z.int().min(0).max(0o777),
});
export type ConfinementPlan = z.infer<typeof ConfinementPlan>;
