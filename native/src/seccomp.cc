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

// What is decided for every number from `first` to the next case's: where there are rules with
// checks, they, else one constant answer.
struct Case {
  std::uint32_t first;
  std::uint32_t answer;
  std::vector<const SyscallRule*> rules;
};

// Every number there is, in order, neighbours with the same constant answer together.
class Cases {
public:
  explicit Cases(std::uint32_t fallback) : fallback_(fallback), cases_{{0, fallback, {}}} {}

  // Numbers in ascending order.
  void constant(std::uint32_t nr, std::uint32_t answer) {
    drop_empty(nr);
    push_constant(nr, answer);
    push_constant(nr + 1, fallback_);
  }

  // Rules of one number, tried in order; the fallback where none holds.
  void conditional(std::uint32_t nr, const std::vector<const SyscallRule*>& rules) {
    drop_empty(nr);
    cases_.push_back({nr, fallback_, rules});
    cases_.push_back({nr + 1, fallback_, {}});
  }

  void emit(Program& out) const { emit(out, 0, cases_.size()); }

private:
  // What was to be answered from `nr` on, which is about to be said anew.
  void drop_empty(std::uint32_t nr) {
    if (cases_.back().first == nr) {
      cases_.pop_back();
    }
  }

  void push_constant(std::uint32_t first, std::uint32_t answer) {
    if (cases_.empty() || !cases_.back().rules.empty() || cases_.back().answer != answer) {
      cases_.push_back({first, answer, {}});
    }
  }

  // A balanced search by number, so that no call pays for the table's length, nor does the kernel,
  // which tries every number when a filter is installed.
  void emit(Program& out, std::size_t from, std::size_t to) const {
    if (to - from == 1) {
      return emit(out, cases_[from]);
    }
    const std::size_t middle = from + (to - from) / 2;
    const std::size_t at = out.size();
    out.push_back(give(fallback_)); // the jump, once its distance is known
    emit(out, from, middle);
    const std::size_t distance = out.size() - at - 1;
    const std::uint32_t pivot = cases_[middle].first;
    if (distance <= UINT8_MAX) {
      out[at] = jump(BPF_JGE, pivot, distance, 0);
    } else { // too far for a conditional jump
      const auto far = static_cast<std::uint32_t>(distance);
      out[at] = jump(BPF_JGE, pivot, 0, 1);
      out.insert(out.begin() + static_cast<std::ptrdiff_t>(at) + 1, BPF_STMT(BPF_JMP | BPF_JA, far));
    }
    emit(out, middle, to);
  }

  static void emit(Program& out, const Case& of) {
    for (const SyscallRule* rule : of.rules) {
      aaos::seccomp::conditional(out, *rule);
      if (rule->checks.empty()) {
        return;
      }
    }
    out.push_back(give(of.answer));
  }

  std::uint32_t fallback_;
  std::vector<Case> cases_;
};

// The whole filter of a table.
Program filter(const Cases& cases) {
  Program out;
  prologue(out);
  cases.emit(out);
  return out;
}

sock_fprog fprog(const Program& program) {
  return {static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
}

} // namespace

bool assemble(const Seccomp& plan, Program& out) {
  if (plan.arch != kArch) {
    return false;
  }
  std::map<std::uint32_t, std::vector<const SyscallRule*>> table;
  for (const SyscallRule& rule : plan.rules) {
    table[rule.nr].push_back(&rule);
  }
  Cases cases(kReturns[plan.default_action]);
  for (const auto& [nr, rules] : table) {
    if (rules.front()->checks.empty()) {
      cases.constant(nr, kReturns[rules.front()->action]);
    } else {
      cases.conditional(nr, rules);
    }
  }
  out = filter(cases);
  return out.size() <= BPF_MAXINSNS;
}

Program exec_filter() {
  Cases cases(SECCOMP_RET_ALLOW);
  cases.constant(SYS_execve, SECCOMP_RET_USER_NOTIF);
  cases.constant(SYS_execveat, SECCOMP_RET_USER_NOTIF);
  return filter(cases);
}

Program init_filter() {
  long allowed[] = {SYS_wait4, SYS_rt_sigtimedwait, SYS_rt_sigreturn, SYS_restart_syscall,
                    SYS_kill,  SYS_sendto,          SYS_exit,         SYS_exit_group};
  std::sort(std::begin(allowed), std::end(allowed)); // their order differs between architectures
  Cases cases(SECCOMP_RET_KILL_PROCESS);
  for (const long nr : allowed) {
    cases.constant(static_cast<std::uint32_t>(nr), SECCOMP_RET_ALLOW);
  }
  return filter(cases);
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
