// System calls and constants that the C library or the headers of the build machine may not have.
// Each wrapper returns what the kernel returns, with errno set on -1; none of them allocates.
#pragma once

#include <cstdint>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace aaos::sys {

// Headers before 6.x lack the later fields; the kernel takes any size that it knows or whose rest
// is zero.
struct LandlockRulesetAttr {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};
struct LandlockNetPort {
  std::uint64_t allowed_access;
  std::uint64_t port;
};
inline constexpr int kLandlockRulePathBeneath = 1;
inline constexpr int kLandlockRuleNetPort = 2;

inline int landlock_abi() {
  return static_cast<int>(syscall(SYS_landlock_create_ruleset, nullptr, 0, 1U));
}
inline int landlock_create_ruleset(const LandlockRulesetAttr& attr, std::size_t size) {
  return static_cast<int>(syscall(SYS_landlock_create_ruleset, &attr, size, 0U));
}
inline int landlock_add_rule(int ruleset, int type, const void* attr) {
  return static_cast<int>(syscall(SYS_landlock_add_rule, ruleset, type, attr, 0U));
}
inline int landlock_restrict_self(int ruleset) {
  return static_cast<int>(syscall(SYS_landlock_restrict_self, ruleset, 0U));
}

inline int openat2(int dir, const char* path, std::uint64_t flags, std::uint64_t resolve,
                   std::uint64_t mode = 0) {
  open_how how{};
  how.flags = flags;
  how.mode = mode;
  how.resolve = resolve;
  return static_cast<int>(syscall(SYS_openat2, dir, path, &how, sizeof how));
}

inline int open_tree(int dir, const char* path, unsigned flags) {
  return static_cast<int>(syscall(SYS_open_tree, dir, path, flags));
}
inline int move_mount(int from, const char* from_path, int to, const char* to_path,
                      unsigned flags) {
  return static_cast<int>(syscall(SYS_move_mount, from, from_path, to, to_path, flags));
}
struct MountAttr {
  std::uint64_t attr_set;
  std::uint64_t attr_clr;
  std::uint64_t propagation;
  std::uint64_t userns_fd;
};
inline int mount_setattr(int dir, const char* path, unsigned flags, const MountAttr& attr) {
  return static_cast<int>(syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof attr));
}
inline int fsopen(const char* type, unsigned flags) {
  return static_cast<int>(syscall(SYS_fsopen, type, flags));
}
inline int fsconfig(int fs, unsigned command, const char* key, const char* value) {
  return static_cast<int>(syscall(SYS_fsconfig, fs, command, key, value, 0));
}
inline int fsmount(int fs, unsigned flags, unsigned attributes) {
  return static_cast<int>(syscall(SYS_fsmount, fs, flags, attributes));
}
inline int pivot_root(const char* new_root, const char* put_old) {
  return static_cast<int>(syscall(SYS_pivot_root, new_root, put_old));
}

inline pid_t clone3(clone_args& args) {
  return static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
}
inline int close_range(unsigned first, unsigned last, unsigned flags) {
  return static_cast<int>(syscall(SYS_close_range, first, last, flags));
}
inline int pidfd_send_signal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}
inline int seccomp(unsigned operation, unsigned flags, void* args) {
  return static_cast<int>(syscall(SYS_seccomp, operation, flags, args));
}

} // namespace aaos::sys
