#include "child.h"

#include "caps.h"
#include "init.h"
#include "landlock.h"
#include "limits.h"
#include "step.h"
#include "sys.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace aaos {
namespace {

// Sends one report, with descriptors where there are any. False when the launcher is gone.
bool send_report(int control, const Report& report, const int* fds = nullptr,
                 std::size_t count = 0) {
  iovec data{const_cast<Report*>(&report), sizeof report};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMaxListeners)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (count > 0) {
    message.msg_control = space;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
  }
  return sendmsg(control, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof report);
}

// Acknowledges a step, or reports its failure and ends the process: nothing runs after a failed
// step. The launcher hears of a step when it has something to answer, or to tell the daemon.
void acknowledge(Launch& launch, Step step, int error, int detail = -1) {
  launch.done |= error == 0 ? bit(step) : 0;
  Report report;
  report.type = error == 0 ? Report::kDone : Report::kFailed;
  report.step = step;
  report.error = error;
  report.detail = detail;
  report.done = launch.done;
  const bool heard = error != 0 || step == Step::kRelease || step == Step::kExec;
  if ((heard && !send_report(launch.control, report)) || error != 0) {
    _exit(1);
  }
#ifdef AAOS_ABLATION
  while (launch.pause_at == static_cast<int>(step)) {
    pause();
  }
#endif
}

// The program's descriptors become 0, 1, 2, …, the control socket the one after them, and
// everything else is closed: what belongs to the launcher or to another sandbox ends here.
int keep_descriptors(Launch& launch) {
  constexpr int kHigh =
      64; // above every target, so that no source is overwritten before it is used
  const int control = fcntl(launch.control, F_DUPFD_CLOEXEC, kHigh);
  int copies[kMaxDescriptors];
  for (std::size_t i = 0; i < launch.descriptor_count; ++i) {
    copies[i] = fcntl(launch.descriptors[i], F_DUPFD_CLOEXEC, kHigh);
    if (copies[i] < 0) {
      return errno;
    }
  }
  for (std::size_t i = 0; i < launch.descriptor_count; ++i) {
    if (dup2(copies[i], static_cast<int>(i)) < 0) {
      return errno;
    }
  }
  const int target = static_cast<int>(launch.descriptor_count);
  if (control < 0 || dup3(control, target, O_CLOEXEC) < 0) {
    return errno;
  }
  launch.control = target;
  return sys::close_range(static_cast<unsigned>(target) + 1, ~0U, 0) == 0 ? 0 : errno;
}

// A launcher that died before this was called is noticed at the release, whose socket is closed
// then.
int die_with_launcher() {
  return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 ? errno : 0;
}

// Asks to go on. Set once more, because the kernel forgets the death signal where credentials
// change.
int await_release(Launch& launch) {
  char go = 0;
  if (const int error = die_with_launcher(); error != 0) {
    return error;
  }
  acknowledge(launch, Step::kRelease, 0);
  ssize_t got = 0;
  do {
    got = recv(launch.control, &go, 1, 0);
  } while (got < 0 && errno == EINTR);
  return got == 1 ? 0 : EPIPE;
}

// What the program's process and its init share until the exec: where the program's process got to.
struct Progress {
  const Launch* launch;
  Step step;
  int error;
  int detail;
};

void reset_signals() {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) {
    sigaction(signal, &by_default, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

int watch_exec(const Launch& launch) {
  if (!launch.plan.exec_limit) {
    return 0;
  }
  const int listener = seccomp::apply_with_listener(launch.exec_filter);
  if (listener < 0) {
    return -listener;
  }
  Report report;
  report.type = Report::kNotify;
  report.step = Step::kExecFilter;
  return send_report(launch.control, report, &listener, 1) ? 0 : EPIPE;
}

// The program's own process: shares the init's memory until it executes, so it may only set what is
// its own. On failure it ends with the step in `progress`.
int run_program(void* argument) {
  auto& progress = *static_cast<Progress*>(argument);
  const Launch& launch = *progress.launch;
  const Plan& plan = launch.plan;
  const auto did = [&](Step step, int error, int detail = -1) {
    progress.step = step;
    progress.error = error;
    progress.detail = detail;
    return error == 0;
  };
  int detail = -1;
  reset_signals();
  umask(plan.umask);  // before the filters: not every one of them lets umask(2) through, and it cannot fail otherwise
  if (did(Step::kSession, setsid() < 0 ? errno : 0) &&
      did(Step::kLimits, omits(plan, kOmitRlimits) ? 0 : limits::apply(plan.rlimits, detail),
          detail) &&
      did(Step::kDirectory, chdir(plan.cwd.c_str()) != 0 ? errno : 0) &&
      did(Step::kExecFilter, watch_exec(launch)) &&
      did(Step::kDescriptors,
          sys::close_range(static_cast<unsigned>(launch.descriptor_count), ~0U, 0) != 0 ? errno
                                                                                        : 0) &&
      did(Step::kSeccomp, omits(plan, kOmitSeccomp) ? 0 : seccomp::apply(launch.filter))) {
    execve(plan.executable.c_str(), launch.argv.data(), launch.envp.data());
    did(Step::kExec, errno);
  }
  _exit(127);
}

pid_t start_program(const Launch& launch, Progress& progress) {
  alignas(16) static char stack[64 * 1024];
  progress = {&launch, Step::kSession, 0, -1};
  return clone(run_program, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &progress);
}

void block_signals() {
  sigset_t blocked;
  sigfillset(&blocked);
  sigprocmask(SIG_SETMASK, &blocked, nullptr);
}

void hand_over_listeners(Launch& launch) {
  int fds[kMaxListeners];
  int detail = -1;
  const std::size_t count = launch.plan.listeners.size();
  const int error = namespaces::open_listeners(launch.plan.listeners, fds, detail);
  if (error != 0) {
    acknowledge(launch, Step::kListeners, error, detail);
  }
  if (count > 0) {
    Report report;
    report.type = Report::kListeners;
    report.step = Step::kListeners;
    if (!send_report(launch.control, report, fds, count)) {
      _exit(1);
    }
    for (std::size_t i = 0; i < count; ++i) {
      close(fds[i]);
    }
  }
  acknowledge(launch, Step::kListeners, 0);
}

void build_root(Launch& launch) {
  int root_fd = -1;
  int detail = -1;
  int error = mounts::build(launch.root, root_fd, detail);
  acknowledge(launch, Step::kRoot, error, detail);
  acknowledge(launch, Step::kProc, mounts::mount_proc(launch.root, root_fd));
  acknowledge(launch, Step::kEnterRoot, mounts::enter(root_fd));
  close(root_fd);
}

int forbid_new_privileges() {
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ? errno : 0;
}

} // namespace

// The order of confinement.
void run_child(Launch& launch) {
  const Plan& plan = launch.plan;
  int detail = -1;
  block_signals();
  if (die_with_launcher() != 0) {
    _exit(1);
  }
  acknowledge(launch, Step::kDescriptors, keep_descriptors(launch));
  acknowledge(launch, Step::kIdMaps, namespaces::apply_maps(launch.maps));
  acknowledge(launch, Step::kPrivateMounts, mounts::make_private());
  if (!omits(plan, kOmitRoot)) {
    build_root(launch);
  }
  acknowledge(launch, Step::kHostname, namespaces::apply_hostname(plan.hostname));
  if ((plan.namespaces & kNsNet) != 0 && !omits(plan, kOmitNet)) {
    acknowledge(launch, Step::kLoopback, namespaces::raise_loopback());
    hand_over_listeners(launch);
  }
  if (!omits(plan, kOmitCaps)) {
    acknowledge(launch, Step::kCapabilities, caps::drop_all());
  }
  acknowledge(launch, Step::kNoNewPrivs, forbid_new_privileges());
  if (!omits(plan, kOmitLandlock)) {
    const int error = landlock::apply(plan.landlock, detail);
    acknowledge(launch, Step::kLandlock, error, detail);
  }
  if (const int error = await_release(launch); error != 0) {
    _exit(1);
  }
  Progress progress{};
  const pid_t program = start_program(launch, progress);
  if (program < 0 || progress.error != 0) {
    acknowledge(launch, program < 0 ? Step::kSession : progress.step,
                program < 0 ? errno : progress.error, progress.detail);
  }
  acknowledge(launch, Step::kExec, 0);
  run_init(program, launch.control, launch.init_filter);
}

} // namespace aaos
