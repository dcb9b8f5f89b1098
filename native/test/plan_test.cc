// The golden plan is read and written back byte for byte; every way to break a line refuses the
// whole plan; the table of system calls decides as it says. Run as `plan_test GOLDEN_FILE`; prints
// what failed and exits 1.
#include "../src/mounts.h"
#include "../src/plan.h"
#include "../src/seccomp.h"

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/syscall.h>

namespace {

int failures = 0;

void check(bool good, const char* rule) {
  if (!good) {
    printf("FAILED: %s\n", rule);
    ++failures;
  }
}

bool parses(const std::string& text, aaos::Plan& plan) {
  aaos::PlanError error;
  plan = {};
  return aaos::parse_plan(text, plan, error);
}

bool parses(const std::string& text) {
  aaos::Plan plan;
  return parses(text, plan);
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  return at == std::string::npos ? std::string() : text.replace(at, from.size(), to);
}

void test_golden(const std::string& golden) {
  aaos::Plan plan;
  check(parses(golden, plan), "the golden plan is accepted");
  check(aaos::write_plan(plan) == golden, "the golden plan is written back byte for byte");
  check(plan.argv.size() == 5 && plan.argv[3] == "two words\nand a line" && plan.argv[4].empty(),
        "arguments keep their spaces, newlines and emptiness");
  check(plan.root.size() == 11 && plan.landlock.fs_rules.size() == 2, "every entry arrives");
}

void test_refusals(const std::string& golden) {
  const struct {
    const char* from;
    const char* to;
    const char* rule;
  } broken[] = {
      {"aaos-plan 1", "aaos-plan 2", "another format"},
      {"kind program", "kind daemon", "an unknown kind"},
      {"kind program\n", "", "a missing line"},
      {"kind program\n", "kind program\nkind program\n", "a line given twice"},
      {"dev\n", "device\n", "an unknown verb"},
      {"dev\n", "omit seccomp\n", "a layer left out, in the shipped build"},
      {"dev\n", "pause clone\n", "a pause, in the shipped build"},
      {"bind exec /usr/bin/git", "bind exec usr/bin/git", "a relative path"},
      {"bind exec /usr/bin/git", "bind exec /usr/../etc", "a path with dots"},
      {"bind exec /usr/bin/git", "bind exec /usr//bin", "a path with an empty segment"},
      {"bind exec /usr/bin/git", "bind exec /", "the root itself"},
      {"bind exec /usr/bin/git", "bind suid /usr/bin/git", "an unknown mode"},
      {"bind exec /usr/bin/git", "bind exec /usr/bin/git extra", "a field too many"},
      {"bind exec /usr/bin/git", "bind exec /usr%00/bin", "a NUL byte"},
      {"bind exec /usr/bin/git", "bind exec /usr%2", "a cut escape"},
      {"bind exec /usr/bin/git", "bind exec /usr%ZZ", "a false escape"},
      {"namespaces user mount", "namespaces mount", "no user namespace"},
      {"cgroup net\n", "cgroup\n", "a program without its own network"},
      {"ids 1000 1000", "ids 1000 99999", "an id out of bounds"},
      {"ids 1000 1000", "ids 01000 1000", "a number with a leading zero"},
      {"ids 1000 1000", "ids -1 1000", "a negative number"},
      {"landlock 6", "landlock 0", "no Landlock"},
      {"landlock-net bind_tcp", "landlock-net bind_udp", "an unknown right"},
      {"seccomp x86_64 ENOSYS", "seccomp x86_64 allow", "a table that allows by default"},
      {"syscall read 0 allow", "syscall read 99999 allow", "a number no call has"},
      {"syscall read 0 allow", "syscall read 0 allow 1 2", "a check without its value"},
      {"syscall read 0 allow", "syscall read 0 allow 6 1 1", "a seventh argument"},
      {"rlimit core 0", "rlimit nofile 0", "a limit given twice"},
      {" 01ABC 1140850688", " ../up 1140850688", "a group's name with a path in it"},
      {" 196 50 -", " 196 50", "a group without all its limits"},
      {"arg commit", "ar commit", "a misspelt verb"},
      {"env LANG", "env 1LANG", "an environment name that is none"},
      {"umask 23\n", "umask 23", "no newline at the end"},
  };
  for (const auto& c : broken) {
    const std::string text = replaced(golden, c.from, c.to);
    if (text.empty() || parses(text)) {
      printf("FAILED: accepted with %s\n", c.rule);
      ++failures;
    }
  }
}

void test_pins(const std::string& golden) {
  aaos::Plan plan;
  aaos::mounts::Prepared root;
  std::string bad;
  check(parses(golden, plan) && aaos::mounts::prepare(plan, root, bad) == 0,
        "the golden root is prepared");
  std::size_t pin = 0;
  std::size_t protect = 0;
  for (std::size_t i = 0; i < root.actions.size(); ++i) {
    const auto& action = root.actions[i];
    pin = action.verb == aaos::mounts::Verb::kPin && action.path == "/data/out put/repo" ? i : pin;
    protect = action.verb == aaos::mounts::Verb::kProtect ? i : protect;
    check(action.verb != aaos::mounts::Verb::kMakeDir || !action.path.starts_with("/data/out put/"),
          "nothing is created inside a tree of the host");
  }
  check(pin > 0 && pin < protect, "an ancestor of a protected path is pinned before it");
  const std::string outside =
      replaced(golden, "protect /data/out%20put/repo/.git", "protect /usr/share/x");
  root = {};
  check(parses(outside, plan) && aaos::mounts::prepare(plan, root, bad) == EINVAL,
        "a protected path outside every writable bind is refused");
}

// Runs the assembled filter as the kernel would, for the few instructions that it uses.
std::uint32_t decide(const aaos::seccomp::Program& program, std::uint32_t nr, std::uint32_t arg0) {
  std::uint32_t a = 0;
  for (std::size_t pc = 0; pc < program.size(); ++pc) {
    const sock_filter& i = program[pc];
    switch (i.code) {
    case BPF_LD | BPF_W | BPF_ABS:
      a = i.k == 4 ? 0xc000003e : i.k == 0 ? nr : i.k == 16 ? arg0 : 0;
      break;
    case BPF_ALU | BPF_AND | BPF_K:
      a &= i.k;
      break;
    case BPF_JMP | BPF_JA:
      pc += i.k;
      break;
    case BPF_JMP | BPF_JEQ | BPF_K:
      pc += a == i.k ? i.jt : i.jf;
      break;
    case BPF_JMP | BPF_JGE | BPF_K:
      pc += a >= i.k ? i.jt : i.jf;
      break;
    case BPF_JMP | BPF_JGT | BPF_K:
      pc += a > i.k ? i.jt : i.jf;
      break;
    case BPF_RET | BPF_K:
      return i.k;
    default:
      return 0xdead;
    }
  }
  return 0xdead;
}

void test_filter(const std::string& golden) {
#if defined(__x86_64__)
  aaos::Plan plan;
  aaos::seccomp::Program program;
  check(parses(golden, plan) && aaos::seccomp::assemble(plan.seccomp, program),
        "the golden table is assembled");
  constexpr std::uint32_t allow = 0x7fff0000;
  constexpr std::uint32_t kill = 0x80000000;
  constexpr std::uint32_t no = 0x00050000;
  check(decide(program, SYS_read, 0) == allow, "a listed call is allowed");
  check(decide(program, SYS_write, 0) == (no | ENOSYS), "an unlisted call has the default answer");
  check(decide(program, SYS_reboot, 0) == kill, "a call can be made to kill");
  check(decide(program, SYS_clone, 0x10000) == allow, "a clone without namespaces is allowed");
  check(decide(program, SYS_clone, 0x10000000) == (no | EPERM),
        "a clone with a new user namespace is not");
  check(decide(program, 0x40000000 | SYS_read, 0) == kill, "an x32 call kills");
#else
  (void)golden;
#endif
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    return 2;
  }
  std::ifstream file(argv[1]);
  const std::string golden((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  test_golden(golden);
  test_refusals(golden);
  test_pins(golden);
  test_filter(golden);
  printf("%s\n", failures == 0 ? "ok" : "failed");
  return failures == 0 ? 0 : 1;
}
