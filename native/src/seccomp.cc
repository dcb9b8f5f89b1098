#include "seccomp.h"

#include "sys.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <map>

namespace aaos::seccomp {
namespace {

#if defined(__x86_64__)
constexpr Arch kArch = Arch::kX86_64;
constexpr std::uint32_t kAuditArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr Arch kArch = Arch::kAarch64;
constexpr std::uint32_t kAuditArch = AUDIT_ARCH_AARCH64;
#else
#error "no seccomp table for this architecture"
#endif
constexpr std::uint32_t kX32Bit = 0x40000000;

constexpr std::uint32_t kReturns[] = {
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_KILL_PROCESS,
    SECCOMP_RET_ERRNO | EPERM,
    SECCOMP_RET_ERRNO | EACCES,
    SECCOMP_RET_ERRNO | ENOSYS,
    SECCOMP_RET_ERRNO | ENOTTY,
    SECCOMP_RET_ERRNO | EINVAL,
    SECCOMP_RET_ERRNO | EAFNOSUPPORT,
    SECCOMP_RET_ERRNO | EPROTONOSUPPORT,
    SECCOMP_RET_ERRNO | EOPNOTSUPP,
};
static_assert(std::size(kReturns) == std::size(kActions));

sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter load_nr() {
  return load(offsetof(seccomp_data, nr));
}
// The low word of an argument; both architectures are little-endian.
sock_filter load_arg(std::uint8_t arg) {
  return load(offsetof(seccomp_data, args) + std::size_t{8} * arg);
}
sock_filter jump(std::uint16_t test, std::uint32_t value, std::size_t yes, std::size_t no) {
  return BPF_JUMP(static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), value,
                  static_cast<std::uint8_t>(yes), static_cast<std::uint8_t>(no));
}
sock_filter give(std::uint32_t answer) {
  return BPF_STMT(BPF_RET | BPF_K, answer);
}

void prologue(Program& out) {
  out.push_back(load(offsetof(seccomp_data, arch)));
  out.push_back(jump(BPF_JEQ, kAuditArch, 1, 0));
  out.push_back(give(SECCOMP_RET_KILL_PROCESS));
  out.push_back(load_nr());
#if defined(__x86_64__)
  out.push_back(jump(BPF_JGE, kX32Bit, 0, 1));
  out.push_back(give(SECCOMP_RET_KILL_PROCESS));
#endif
}

// A run of neighbouring numbers with the same constant answer.
struct Range {
  std::uint32_t first;
  std::uint32_t last;
  std::uint32_t answer;
};

void constant(Program& out, const Range& range) {
  if (range.first == range.last) {
    out.push_back(jump(BPF_JEQ, range.first, 0, 1));
  } else {
    out.push_back(jump(BPF_JGE, range.first, 0, 2));
    out.push_back(jump(BPF_JGT, range.last, 1, 0));
  }
  out.push_back(give(range.answer));
}

// One rule of a number that is already matched; falls through where a check does not hold. Three
// instructions a check.
void conditional(Program& out, const SyscallRule& rule) {
  std::size_t left = rule.checks.size();
  for (const ArgCheck& check : rule.checks) {
    --left;
    out.push_back(load_arg(check.arg));
    out.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, check.mask));
    out.push_back(jump(BPF_JEQ, check.value, 0, left * 3 + 1));
  }
  out.push_back(give(kReturns[rule.action]));
}

using ByNumber = std::map<std::uint32_t, std::vector<const SyscallRule*>>;

std::vector<Range> constant_ranges(const ByNumber& table) {
  std::vector<Range> ranges;
  for (const auto& [nr, rules] : table) {
    if (!rules.front()->checks.empty()) {
      continue;
    }
    const std::uint32_t answer = kReturns[rules.front()->action];
    if (!ranges.empty() && ranges.back().last + 1 == nr && ranges.back().answer == answer) {
      ranges.back().last = nr;
    } else {
      ranges.push_back({nr, nr, answer});
    }
  }
  return ranges;
}

// Rules of one number, tried in order; the default where none holds. False if a jump over them
// would not fit a byte.
bool group(Program& out, std::uint32_t nr, const std::vector<const SyscallRule*>& rules,
           std::uint32_t fallback) {
  Program body;
  for (const SyscallRule* rule : rules) {
    conditional(body, *rule);
    if (rule->checks.empty()) {
      break;
    }
  }
  body.push_back(give(fallback));
  // A long body is entered by a near jump over one far jump.
  out.push_back(jump(BPF_JEQ, nr, 1, 0));
  out.push_back(BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(body.size())));
  out.insert(out.end(), body.begin(), body.end());
  return out.size() <= BPF_MAXINSNS;
}

sock_fprog fprog(const Program& program) {
  return {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
}

} // namespace

bool assemble(const Seccomp& plan, Program& out) {
  if (plan.arch != kArch) {
    return false;
  }
  ByNumber table;
  for (const SyscallRule& rule : plan.rules) {
    table[rule.nr].push_back(&rule);
  }
  out.clear();
  prologue(out);
  for (const Range& range : constant_ranges(table)) {
    constant(out, range);
  }
  const std::uint32_t fallback = kReturns[plan.default_action];
  for (const auto& [nr, rules] : table) {
    if (!rules.front()->checks.empty() && !group(out, nr, rules, fallback)) {
      return false;
    }
  }
  out.push_back(give(fallback));
  return out.size() <= BPF_MAXINSNS;
}

Program exec_filter() {
  Program out;
  prologue(out);
  constant(out, {SYS_execve, SYS_execve, SECCOMP_RET_USER_NOTIF});
  constant(out, {SYS_execveat, SYS_execveat, SECCOMP_RET_USER_NOTIF});
  out.push_back(give(SECCOMP_RET_ALLOW));
  return out;
}

Program init_filter() {
  Program out;
  prologue(out);
  for (const long nr : {SYS_wait4, SYS_rt_sigtimedwait, SYS_rt_sigreturn, SYS_restart_syscall,
                        SYS_kill, SYS_sendto, SYS_exit, SYS_exit_group}) {
    const auto number = static_cast<std::uint32_t>(nr);
    constant(out, {number, number, SECCOMP_RET_ALLOW});
  }
  out.push_back(give(SECCOMP_RET_KILL_PROCESS));
  return out;
}

int apply(const Program& program) {
  sock_fprog filter = fprog(program);
  return sys::seccomp(SECCOMP_SET_MODE_FILTER, 0, &filter) == 0 ? 0 : errno;
}

int apply_with_listener(const Program& program) {
  sock_fprog filter = fprog(program);
  const int fd = sys::seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter);
  return fd >= 0 ? fd : -errno;
}

} // namespace aaos::seccomp
