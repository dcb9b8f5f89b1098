/* The kernel's own surface: mounts, namespaces, and system calls that no confined process has a use for. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>

#include "probe.h"

/* Any call by number with up to three numbers: for those that need no more to be judged. */
static int p_call(void) { return code(syscall(strtol(A, NULL, 0), strtol(B, NULL, 0), strtol(C, NULL, 0), 0, 0, 0, 0)); }

static int p_remount(void) { return code(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL)); }
static int p_bind_mount(void) { return code(mount("/", "/proc", NULL, MS_BIND, NULL)); }
static int p_open_tree_path(void) { return opened((int)syscall(SYS_open_tree, AT_FDCWD, "/", 0)); }
static int p_move_mount(void) { return code(syscall(SYS_move_mount, AT_FDCWD, "/proc", AT_FDCWD, "/dev", 0)); }
static int p_mount_setattr(void) {
  unsigned long long attr[4] = {0, 1, 0, 0};
  return code(syscall(SYS_mount_setattr, AT_FDCWD, "/", 0, attr, sizeof attr));
}
static int p_fspick(void) { return opened((int)syscall(SYS_fspick, AT_FDCWD, "/", 0)); }
/* Mounts of the host, by their unique ids. */
static int p_listmount(void) {
  struct {
    unsigned size, spare;
    unsigned long long id, param, ns;
  } request = {24, 0, 0xffffffffffffffffULL, 0, 0};
  unsigned long long ids[64];
  return code(syscall(458, &request, ids, 64, 0));
}
static int p_statmount(void) {
  struct {
    unsigned size, spare;
    unsigned long long id, param, ns;
  } request = {24, 0, 0x100000001ULL, 1, 0};
  char room[512];
  return code(syscall(457, &request, room, sizeof room, 0));
}
static int unshared(int flags) { return code(unshare(flags)); }
static int p_unshare_mount(void) { return unshared(CLONE_NEWNS); }
static int p_unshare_net(void) { return unshared(CLONE_NEWUSER | CLONE_NEWNET); }
static int p_unshare_time(void) { return unshared(CLONE_NEWUSER | CLONE_NEWTIME); }
static int p_unshare_files(void) { return unshared(CLONE_FILES | CLONE_FS); }
static int cloned(unsigned long flags) {
  const long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  return code(pid);
}
static int p_clone_user_net(void) { return cloned(CLONE_NEWUSER | CLONE_NEWNET); }
static int p_clone_user_mount(void) { return cloned(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID); }
static int p_clone_high_bits(void) { return cloned((1UL << 40) | CLONE_NEWUSER); }
static int p_clone_parent(void) { return cloned(CLONE_PARENT); }
static int p_setns(void) {
  const int fd = open(A, O_RDONLY);
  if (fd < 0) return errno;
  return code(setns(fd, 0));
}
static int p_setns_pidfd(void) {
  const int fd = (int)syscall(SYS_pidfd_open, atoi(A), 0);
  if (fd < 0) return errno;
  return code(setns(fd, CLONE_NEWUSER | CLONE_NEWNS));
}
/* The namespace that owns ours, by ioctl on /proc/self/ns. */
static int p_ns_parent(void) {
  const int fd = open("/proc/self/ns/user", O_RDONLY);
  if (fd < 0) return errno;
  return opened(ioctl(fd, 0xb702));
}
static int p_ns_owner(void) {
  const int fd = open("/proc/self/ns/net", O_RDONLY);
  if (fd < 0) return errno;
  return opened(ioctl(fd, 0xb701));
}
static int p_fanotify(void) { return opened((int)syscall(SYS_fanotify_init, FAN_CLASS_NOTIF | FAN_REPORT_FID, O_RDONLY)); }
static int p_bpf_map(void) {
  unsigned attr[32] = {1, 4, 4, 1};
  return opened((int)syscall(SYS_bpf, 0, attr, sizeof attr));
}
static int p_perf_self(void) {
  unsigned attr[32] = {1, 128};
  attr[10] = 0x61; /* disabled, exclude_kernel, exclude_hv */
  return opened((int)syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}
static int p_io_uring_enter(void) { return code(syscall(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0)); }
static int p_io_uring_register(void) { return code(syscall(SYS_io_uring_register, -1, 19, NULL, 0)); }
static int p_aio(void) {
  unsigned long context = 0;
  return code(syscall(SYS_io_setup, 1, &context));
}
static int p_request_key(void) { return code(syscall(SYS_request_key, "user", "aaos-none", NULL, -3)); }
static int p_kexec_load(void) { return code(syscall(SYS_kexec_load, 0, 0, NULL, 0)); }
static int p_kexec_file(void) { return code(syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 4)); }
static int p_init_module(void) { return code(syscall(SYS_init_module, "x", 1, "")); }
static int p_finit_module(void) { return code(syscall(SYS_finit_module, 0, "", 0)); }
static int p_delete_module(void) { return code(syscall(SYS_delete_module, "aaos_none", O_NONBLOCK)); }
static int p_swapon(void) { return code(swapon("/x", 0)); }
static int p_swapoff(void) { return code(swapoff("/x")); }
static int p_acct(void) { return code(syscall(SYS_acct, NULL)); }
static int p_quotactl(void) { return code(syscall(SYS_quotactl, 0x800001 << 8, NULL, 0, NULL)); }
static int p_syslog(void) {
  static char room[4096];
  return code(klogctl(3, room, sizeof room));
}
static int p_setdomainname(void) { return code(setdomainname("x", 1)); }
static int p_clock_settime(void) {
  const struct timespec t = {1, 0};
  return code(clock_settime(CLOCK_REALTIME, &t));
}
static int p_adjtimex(void) {
  struct timex t = {.modes = ADJ_OFFSET, .offset = 1};
  return code(adjtimex(&t));
}
static int p_adjtimex_read(void) {
  struct timex t = {.modes = 0};
  return code(adjtimex(&t));
}

/* A wider ruleset of our own, enforced, then A: whatever comes of it, the narrower one must still hold. */
static int p_landlock_widen(void) {
  struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
  const int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
  if (ruleset < 0) return errno;
  struct landlock_path_beneath_attr rule = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
                                            .parent_fd = open("/", O_PATH)};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0) return errno;
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0) return errno;
  return opened(open(A, O_RDONLY));
}
static int p_landlock_version(void) { return code(syscall(SYS_landlock_create_ruleset, NULL, 0, 1)); }

/* A filter that answers its own calls: a listener could lie to what it starts. */
static int filter_with(unsigned flags) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog program = {1, allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return code(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program));
}
static int p_seccomp_filter(void) { return filter_with(0); }
static int p_seccomp_listener(void) { return filter_with(SECCOMP_FILTER_FLAG_NEW_LISTENER); }
static int p_seccomp_prctl(void) {
  struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const struct sock_fprog program = {1, allow};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return code(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
}
static int p_prctl_mm(void) { return code(prctl(PR_SET_MM, 8, 0x1000, 0, 0)); }
static int p_prctl_ptracer(void) { return code(prctl(0x59616d61, -1, 0, 0, 0)); }
static int p_prctl_ambient(void) { return code(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21, 0, 0)); }
static int p_prctl_securebits(void) { return code(prctl(PR_SET_SECUREBITS, 0, 0, 0, 0)); }
static int p_prctl_keepcaps(void) { return code(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)); }
static int p_prctl_io_flusher(void) { return code(prctl(57, 1, 0, 0, 0)); }
static int p_prctl_high_bits(void) { return code(syscall(SYS_prctl, (1UL << 32) | PR_SET_KEEPCAPS, 1, 0, 0, 0)); }
static int p_personality_exec(void) { return code(personality(READ_IMPLIES_EXEC)); }
static int p_personality_fixed(void) { return code(personality(ADDR_NO_RANDOMIZE)); }
static int p_memfd_secret(void) { return opened((int)syscall(SYS_memfd_secret, 0)); }
static int p_memfd(void) { return opened((int)syscall(SYS_memfd_create, "x", 0)); }
static int p_modify_ldt(void) {
#ifdef SYS_modify_ldt
  char room[64];
  return code(syscall(SYS_modify_ldt, 0, room, sizeof room));
#else
  return EPERM;
#endif
}
static int p_iopl(void) {
#ifdef SYS_iopl
  return code(syscall(SYS_iopl, 3));
#else
  return EPERM;
#endif
}
static int p_mbind(void) {
  void *m = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return code(syscall(SYS_mbind, m, 4096, 0, NULL, 0, 0));
}
static int p_lsm_attr(void) {
  unsigned size = 4096;
  static char room[4096];
  return code(syscall(459, 100, room, &size, 0));
}
static int p_lsm_list(void) {
  unsigned long long ids[16];
  unsigned size = sizeof ids;
  return code(syscall(461, ids, &size, 0));
}
static int p_setgroups(void) { return code(syscall(SYS_setgroups, 0, NULL)); }
static int p_setresuid(void) { return code(syscall(SYS_setresuid, -1, getuid(), -1)); }
static int p_setresuid_root(void) { return code(syscall(SYS_setresuid, 0, 0, 0)); }
static int p_setfsuid(void) {
  syscall(SYS_setfsuid, 0);
  return syscall(SYS_setfsuid, -1) == 0 ? 0 : EPERM;
}
static int p_capset_keep(void) {
  unsigned header[2] = {0x20080522, 0}, data[6] = {0};
  return code(syscall(SYS_capset, header, data));
}
static int p_vhangup(void) { return code(vhangup()); }
static int p_ioctl_high_bits(void) { return code(syscall(SYS_ioctl, 0, (1UL << 32) | 0x5412, "x")); }
static int p_tioclinux(void) { return code(ioctl(0, 0x541c, "\2")); }
static int p_tiocsctty(void) { return code(ioctl(0, 0x540e, 1)); }
static int p_process_madvise(void) { return code(syscall(SYS_process_madvise, -1, NULL, 0, 4, 0)); }
static int p_process_mrelease(void) { return code(syscall(SYS_process_mrelease, -1, 0)); }
static int p_kcmp(void) { return code(syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 0)); }
static int p_write_file(void) {
  const int fd = open(A, O_WRONLY);
  if (fd < 0) return errno;
  return code(write(fd, B, strlen(B)));
}

const struct probe KERNEL_PROBES[] = {
    P(call), P(remount), P(bind_mount), P(open_tree_path), P(move_mount), P(mount_setattr), P(fspick), P(listmount),
    P(statmount), P(unshare_mount), P(unshare_net), P(unshare_time), P(unshare_files), P(clone_user_net),
    P(clone_user_mount), P(clone_high_bits), P(clone_parent), P(setns), P(setns_pidfd), P(ns_parent), P(ns_owner),
    P(fanotify), P(bpf_map), P(perf_self), P(io_uring_enter), P(io_uring_register), P(aio), P(request_key),
    P(kexec_load), P(kexec_file), P(init_module), P(finit_module), P(delete_module), P(swapon), P(swapoff), P(acct),
    P(quotactl), P(syslog), P(setdomainname), P(clock_settime), P(adjtimex), P(adjtimex_read), P(landlock_widen),
    P(landlock_version), P(seccomp_filter), P(seccomp_listener), P(seccomp_prctl), P(prctl_mm), P(prctl_ptracer),
    P(prctl_ambient), P(prctl_securebits), P(prctl_keepcaps), P(prctl_io_flusher), P(prctl_high_bits),
    P(personality_exec), P(personality_fixed), P(memfd_secret), P(memfd), P(modify_ldt), P(iopl), P(mbind),
    P(lsm_attr), P(lsm_list), P(setgroups), P(setresuid), P(setresuid_root), P(setfsuid), P(capset_keep), P(vhangup),
    P(ioctl_high_bits), P(tioclinux), P(tiocsctty), P(process_madvise), P(process_mrelease), P(kcmp), P(write_file),
    {NULL, NULL}};
