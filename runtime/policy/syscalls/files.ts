import { REFUSED } from "./refused.js";
import { bits, each, type SyscallRule, when } from "./rules.js";

const PROT_EXEC = 0x4;

/**
 * The file worker: a static program that opens with openat2 only, makes no process, thread or socket, and maps nothing
 * executable. `execve` is there for the launcher's own exec; the private root holds nothing else to run.
 */
export const FILES_RULES: readonly SyscallRule[] = [
  ...each(
    "allow",
    `read write pread64 pwrite64 readv writev close fstat newfstatat statx openat2 getdents64 lseek ftruncate fsync
     renameat2 unlinkat mkdirat readlinkat fchmod getrandom clock_gettime
     exit exit_group rt_sigreturn rt_sigprocmask brk munmap mremap madvise futex
     execve arch_prctl set_tid_address set_robust_list rseq prlimit64 readlink`,
  ),
  when("mmap", "allow", bits(2, PROT_EXEC, 0)),
  when("mmap", "EPERM"),
  when("mprotect", "allow", bits(2, PROT_EXEC, 0)),
  when("mprotect", "EPERM"),
  ...each(
    "EPERM",
    "socket socketpair connect bind listen accept accept4 clone fork vfork openat open creat",
  ),
  ...REFUSED,
];
