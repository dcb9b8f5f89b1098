#include "landlock.h"

#include "sys.h"
#include "unique_fd.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace aaos::landlock {
namespace {

// execute, write_file, read_file, truncate and ioctl_dev: what a rule on a file can mean.
constexpr std::uint64_t kFileRights = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 14 | 1u << 15;

int add_path(int ruleset, const FsRule& rule) {
  const UniqueFd at(sys::openat2(AT_FDCWD, rule.path.c_str(), O_PATH | O_CLOEXEC,
                                 RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS));
  struct stat status {};
  if (!at || fstat(at.get(), &status) != 0) {
    return errno;
  }
  landlock_path_beneath_attr attr{};
  attr.allowed_access = S_ISDIR(status.st_mode) ? rule.rights : rule.rights & kFileRights;
  attr.parent_fd = at.get();
  if (attr.allowed_access == 0) {
    return 0; // only directory rights, on a file: nothing is granted
  }
  return sys::landlock_add_rule(ruleset, sys::kLandlockRulePathBeneath, &attr) == 0 ? 0 : errno;
}

int add_port(int ruleset, const NetRule& rule) {
  const sys::LandlockNetPort attr{rule.rights, rule.port};
  return sys::landlock_add_rule(ruleset, sys::kLandlockRuleNetPort, &attr) == 0 ? 0 : errno;
}

} // namespace

std::uint64_t fs_rights_of_abi(int abi) {
  constexpr int rights_by_abi[] = {0, 13, 14, 15, 15, 16, 16, 16, 16, 17};
  if (abi <= 0) {
    return 0;
  }
  const int last = static_cast<int>(sizeof rights_by_abi / sizeof *rights_by_abi) - 1;
  return (std::uint64_t{1} << rights_by_abi[abi < last ? abi : last]) - 1;
}

int prepare(const Landlock& plan) {
  const int abi = sys::landlock_abi();
  if (abi < static_cast<int>(plan.abi) || (plan.handled_fs & ~fs_rights_of_abi(abi)) != 0 ||
      (plan.handled_net != 0 && abi < 4) || (plan.scopes != 0 && abi < 6)) {
    return EOPNOTSUPP;
  }
  for (const FsRule& rule : plan.fs_rules) {
    if ((rule.rights & ~plan.handled_fs) != 0) {
      return EINVAL;
    }
  }
  for (const NetRule& rule : plan.net_rules) {
    if ((rule.rights & ~plan.handled_net) != 0) {
      return EINVAL;
    }
  }
  return 0;
}

int apply(const Landlock& plan, int& detail) {
  const sys::LandlockRulesetAttr attr{plan.handled_fs, plan.handled_net, plan.scopes};
  // An older kernel takes the struct only as far as it knows it.
  std::size_t size = sizeof attr;
  if (plan.scopes == 0) {
    size = plan.handled_net == 0 ? offsetof(sys::LandlockRulesetAttr, handled_access_net)
                                 : offsetof(sys::LandlockRulesetAttr, scoped);
  }
  const UniqueFd ruleset(sys::landlock_create_ruleset(attr, size));
  if (!ruleset) {
    return errno;
  }
  detail = 0;
  for (const FsRule& rule : plan.fs_rules) {
    if (const int error = add_path(ruleset.get(), rule); error != 0) {
      return error;
    }
    ++detail;
  }
  for (const NetRule& rule : plan.net_rules) {
    if (const int error = add_port(ruleset.get(), rule); error != 0) {
      return error;
    }
    ++detail;
  }
  detail = -1;
  return sys::landlock_restrict_self(ruleset.get()) == 0 ? 0 : errno;
}

} // namespace aaos::landlock
