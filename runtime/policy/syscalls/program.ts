import { CLONE_WITHOUT_NAMESPACES, REFUSED } from "./refused.js";
import { bits, each, is, oneOf, type SyscallRule, when } from "./rules.js";

const AF_INET = 2;
const AF_INET6 = 10;
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
/** The type's bits without SOCK_NONBLOCK and SOCK_CLOEXEC. */
const SOCK_TYPE = 0xffff_ffff & ~0o2004000;
const IPPROTO_TCP = 6;
const IPPROTO_UDP = 17;
const MSG_FASTOPEN = 0x2000_0000;
const S_IFMT = 0o170000;

/** What git, rg, cargo, npm, node, python3, make, pandoc and jq need (traced), and their common relatives. */
const PLAIN = each(
  "allow",
  `read write pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 close close_range dup dup2 dup3 fcntl flock
   open openat openat2 creat stat lstat fstat newfstatat statx access faccessat faccessat2 readlink readlinkat
   getdents getdents64 getcwd chdir fchdir lseek truncate ftruncate fallocate fadvise64 readahead fsync fdatasync
   sync_file_range syncfs copy_file_range sendfile splice tee vmsplice rename renameat renameat2 link linkat symlink
   symlinkat unlink unlinkat mkdir mkdirat rmdir chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat umask
   utime utimes utimensat futimesat statfs fstatfs getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
   setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr cachestat
   mmap munmap mprotect mremap madvise brk msync mincore mlock mlock2 munlock mlockall munlockall membarrier mseal
   pkey_alloc pkey_free pkey_mprotect map_shadow_stack
   futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list get_robust_list set_tid_address rseq
   restart_syscall sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_setparam sched_getscheduler
   sched_setscheduler sched_getattr sched_setattr sched_get_priority_max sched_get_priority_min
   sched_rr_get_interval getcpu getpriority setpriority ioprio_get ioprio_set
   vfork fork execve exit exit_group wait4 waitid kill tkill tgkill pidfd_open pidfd_send_signal
   rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend rt_sigtimedwait rt_sigqueueinfo
   rt_tgsigqueueinfo sigaltstack signalfd signalfd4 pause alarm getitimer setitimer
   timer_create timer_settime timer_gettime timer_getoverrun timer_delete timerfd_create timerfd_settime
   timerfd_gettime nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times
   getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgid setpgid getpgrp getsid
   setsid capget getrlimit setrlimit prlimit64 getrusage sysinfo uname getrandom arch_prctl
   pipe pipe2 eventfd eventfd2 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll
   select pselect6 inotify_init inotify_init1 inotify_add_watch inotify_rm_watch
   recvfrom recvmsg recvmmsg shutdown getsockname getpeername getsockopt`,
);

/** PR_SET_NAME, PDEATHSIG, DUMPABLE, NO_NEW_PRIVS, CHILD_SUBREAPER, CAPBSET_READ, THP_DISABLE, TIMERSLACK, SET_VMA, reads. */
const PRCTL = [
  ...oneOf(
    "prctl",
    "allow",
    0,
    [1, 2, 3, 4, 15, 16, 21, 23, 27, 29, 30, 36, 37, 38, 39, 41, 42, 0x5356_4d41],
  ),
  when("prctl", "EPERM"),
];

/** Terminal questions, FIONREAD, FIONBIO, FIOCLEX, FICLONE, FS_IOC_GETFLAGS. The rest is "not a terminal". */
const IOCTL = [
  ...oneOf(
    "ioctl",
    "allow",
    1,
    [0x5401, 0x802c_542a, 0x5413, 0x540f, 0x541b, 0x5421, 0x5450, 0x5451, 0x4004_9409, 0x8008_6601],
  ),
  // TIOCSTI, TIOCLINUX and TIOCSETD reach into the terminal of whoever started us.
  ...oneOf("ioctl", "EPERM", 1, [0x5412, 0x541c, 0x5423]),
  when("ioctl", "ENOTTY"),
];

const REST = [
  // posix_spawn with POSIX_SPAWN_RESETIDS (GNU make): the effective id becomes the real one, which it is already.
  ...["setresuid", "setresgid"].map((name) =>
    when(name, "allow", is(0, 0xffff_ffff), is(2, 0xffff_ffff)),
  ),
  ...oneOf("personality", "allow", 0, [0, 0xffff_ffff]),
  when("personality", "EPERM"),
  // Regular files, pipes and sockets; devices never. Whether they may be made at all is Landlock's to say.
  ...["mknod", "mknodat"].flatMap((name) => {
    const mode = name === "mknod" ? 1 : 2;
    return [
      ...[0, 0o100000, 0o010000, 0o140000].map((type) =>
        when(name, "allow", bits(mode, S_IFMT, type)),
      ),
      when(name, "EPERM"),
    ];
  }),
  when("socketpair", "allow", is(0, AF_UNIX)),
  when("socketpair", "EPERM"),
  // TCP Fast Open connects inside sendto, past every rule on connect.
  ...[
    ["sendto", 3],
    ["sendmsg", 2],
    ["sendmmsg", 3],
  ].flatMap(([name, flags]) => [
    when(String(name), "allow", bits(Number(flags), MSG_FASTOPEN, 0)),
    when(String(name), "EPERM"),
  ]),
  ...REFUSED,
];

/** TCP, and UDP to ask the DNS stub; protocol 0 or the plain one, which leaves MPTCP, SCTP, SMC, DCCP and raw sockets out. */
const NETWORK = [
  ...[AF_INET, AF_INET6].flatMap((family) =>
    [
      [SOCK_STREAM, IPPROTO_TCP],
      [SOCK_DGRAM, IPPROTO_UDP],
    ].flatMap(([type = 0, protocol = 0]) =>
      [0, protocol].map((p) =>
        when("socket", "allow", is(0, family), bits(1, SOCK_TYPE >>> 0, type), is(2, p)),
      ),
    ),
  ),
  when("socket", "EPERM"),
  // TCP_FASTOPEN, TCP_FASTOPEN_CONNECT, TCP_ULP.
  ...[23, 30, 31].map((option) => when("setsockopt", "EPERM", is(1, IPPROTO_TCP), is(2, option))),
  ...each("allow", "setsockopt connect bind"),
  ...each("EPERM", "listen accept accept4"),
];

const NO_NETWORK = each("EPERM", "socket connect bind listen accept accept4 setsockopt");

/** Processes that start others: command line tools and what they run. */
export function programRules(options: { readonly network: boolean }): readonly SyscallRule[] {
  return [
    ...PLAIN,
    ...PRCTL,
    ...IOCTL,
    ...CLONE_WITHOUT_NAMESPACES,
    ...(options.network ? NETWORK : NO_NETWORK),
    ...REST,
  ];
}

/** The web worker: Node with the network, threads, and no process but itself (`execve` is the launcher's). */
export function webRules(): readonly SyscallRule[] {
  const withoutProcesses = PLAIN.filter(({ name }) => name !== "fork" && name !== "vfork");
  const CLONE_THREAD_AND_NEW = 0x7e03_0000;
  return [
    ...withoutProcesses,
    ...each("EPERM", "fork vfork"),
    when("clone", "allow", bits(0, CLONE_THREAD_AND_NEW, 0x1_0000)),
    when("clone", "EPERM"),
    ...PRCTL,
    ...IOCTL,
    ...NETWORK,
    ...REST,
  ];
}
