#include "init.h"

#include "step.h"
#include "sys.h"

#include <cerrno>
#include <csignal>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace aaos {
namespace {

[[noreturn]] void finish(int control, int status) {
  Report report;
  report.type = Report::kExited;
  report.step = Step::kInit;
  report.error = status;
  send(control, &report, sizeof report, MSG_NOSIGNAL);
  _exit(0);
}

} // namespace

void run_init(pid_t program, int control, const seccomp::Program& filter) {
  // Only the control socket: the program's pipes must close when the program closes them.
  if (control > 0) {
    sys::close_range(0, static_cast<unsigned>(control) - 1, 0);
  }
  sys::close_range(static_cast<unsigned>(control) + 1, ~0U, 0);
  if (seccomp::apply(filter) != 0) {
    _exit(1);
  }
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
    sigaddset(&wanted, signal);
  }
  for (;;) {
    int status = 0;
    pid_t reaped = 0;
    while ((reaped = waitpid(-1, &status, WNOHANG)) > 0) {
      if (reaped == program) {
        finish(control, status);
      }
    }
    const int signal = sigtimedwait(&wanted, nullptr, nullptr);
    if (signal > 0 && signal != SIGCHLD) {
      kill(program, signal);
    }
  }
}

} // namespace aaos
