import { bits, each, type SyscallRule, when } from "./rules.js";

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const CLONE_NEW_ANY = 0x7e02_0000;

/**
 * Calls that have no place in any confined process: they answer EPERM rather than ENOSYS, so that a denial looks like one.
 * clone3 takes its flags by pointer, where no filter can see them; ENOSYS makes every C library fall back to clone.
 */
export const REFUSED: readonly SyscallRule[] = [
  ...each("ENOSYS", "clone3"),
  ...each(
    "EPERM",
    `mount umount2 pivot_root chroot open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr
     statmount listmount unshare setns sethostname setdomainname
     ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
     bpf perf_event_open userfaultfd fanotify_init fanotify_mark io_uring_setup io_uring_enter io_uring_register
     keyctl add_key request_key open_by_handle_at name_to_handle_at memfd_create memfd_secret
     kexec_load kexec_file_load init_module finit_module delete_module swapon swapoff reboot syslog acct quotactl
     quotactl_fd settimeofday clock_settime adjtimex clock_adjtime iopl ioperm modify_ldt vhangup lookup_dcookie
     nfsservctl _sysctl uselib ustat sysfs mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node
     setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset execveat`,
  ),
];

/** Threads and processes, never namespaces. */
export const CLONE_WITHOUT_NAMESPACES: readonly SyscallRule[] = [
  when("clone", "allow", bits(0, CLONE_NEW_ANY, 0)),
  when("clone", "EPERM"),
];
