// aaos-observe PROGRAM ARGS…: runs a program unconfined, with the authority of whoever calls it,
// and writes what it asks of the kernel to descriptor 3, one JSON object a line (observed_call.h).
// Each watched call stops in the kernel until we have read its arguments, and then goes on as if
// nothing had happened: nothing is allowed or refused here. Two things differ from a run without
// us: io_uring answers ENOSYS, for it would go unseen, and a set-uid program gains nothing
// (no_new_privs).
//
// The last line is {"op":"exit",…}. Ends when no process of the program is left. What was seen
// before is not written again.
#include "observed_call.h"
#include "sys.h"

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unordered_set>

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

namespace aaos::observe {
namespace {

constexpr int kReportFd = 3;
// Lines kept apart; past that the program goes on and the rest is counted only.
constexpr std::size_t kMaxLines = 200'000;

#if defined(__x86_64__)
constexpr std::uint32_t kAuditArch = AUDIT_ARCH_X86_64;
constexpr std::uint32_t kFirstForeign = 0x40000000; // x32
#elif defined(__aarch64__)
constexpr std::uint32_t kAuditArch = AUDIT_ARCH_AARCH64;
constexpr std::uint32_t kFirstForeign = 0xffffffff;
#endif

// Asks about the watched calls. Another architecture's calls would go unseen: as in a sandbox, they
// end the process.
std::vector<sock_filter> filter() {
  std::vector<sock_filter> out{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kAuditArch, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kFirstForeign, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
      // Without an address it goes where the socket was connected to, which was seen.
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sendto, 0, 6),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[4])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args[4]) + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
  };
  for (const std::uint32_t nr : observed_numbers()) {
    out.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
    out.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
  }
  out.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  return out;
}

int listen_to_self() {
  std::vector<sock_filter> program = filter();
  sock_fprog fprog{static_cast<unsigned short>(program.size()), program.data()};
  // Since 5.19 only a fatal signal interrupts the wait; before, a program with a timer could
  // restart its call for ever.
  const unsigned flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
  const int fd =
      sys::seccomp(SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &fprog);
  return fd >= 0 || errno != EINVAL ? fd : sys::seccomp(SECCOMP_SET_MODE_FILTER, flags, &fprog);
}

// What the child tells before it is the program: the listener's number in the table that both share
// until then, or an errno.
struct Word {
  int listener;
  int error;
};

// The child. Nothing of ours is open in the program: all but 0, 1 and 2 closes on exec.
[[noreturn]] void become(char** argv, int tell, const sigset_t& mask) {
  Word word{-1, 0};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
    word.listener = listen_to_self();
  }
  word.error = word.listener < 0 ? errno : 0;
  if (write(tell, &word, sizeof word) == sizeof word && word.error == 0) {
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execvp(argv[0], argv);
    word = {-1, errno};
    (void)!write(tell, &word, sizeof word);
  }
  _exit(127);
}

class Observer {
public:
  Observer(int listener, int told, int signals, pid_t program)
      : listener_(listener), told_(told), signals_(signals), program_(program) {}

  // Until no process is left under the filter.
  int run() {
    pollfd watched[] = {{listener_, POLLIN, 0}, {signals_, POLLIN, 0}};
    for (;;) {
      if (poll(watched, 2, -1) < 0 && errno != EINTR) {
        return finish();
      }
      if ((watched[1].revents & POLLIN) != 0) {
        on_signal();
      }
      if ((watched[0].revents & POLLIN) != 0) {
        answer();
      } else if ((watched[0].revents & (POLLHUP | POLLERR)) != 0) {
        return finish();
      }
    }
  }

private:
  void on_signal() {
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != sizeof info) {
      return;
    }
    if (info.ssi_signo != SIGCHLD) {
      kill(program_, SIGTERM);
      // The second time nobody waits any longer; what goes on gets ENOSYS for the watched calls.
      if (++terminations_ > 1) {
        kill(program_, SIGKILL);
        _exit(finish());
      }
    }
    reap(WNOHANG);
  }

  void reap(int options) {
    int status = 0;
    for (pid_t gone = 0; (gone = waitpid(-1, &status, options)) > 0;) {
      if (gone == program_) {
        status_ = status;
      }
    }
  }

  void answer() {
    seccomp_notif question{};
    if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) {
      return; // killed meanwhile
    }
    std::vector<Observation> seen = read_call(question);
    // Still the same process that asked? Else what was read belongs to another.
    if (ioctl(listener_, SECCOMP_IOCTL_NOTIF_ID_VALID, &question.id) == 0) {
      for (const Observation& one : seen) {
        note(one, question.pid);
      }
    }
    seccomp_notif_resp go_on{};
    go_on.id = question.id;
    go_on.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(listener_, SECCOMP_IOCTL_NOTIF_SEND, &go_on);
  }

  void note(const Observation& seen, std::uint32_t pid) {
    if (seen.op == Op::kUnreadable) {
      ++unreadable_;
    } else if (lines_.size() >= kMaxLines) {
      ++dropped_;
    } else if (lines_.insert(std::hash<std::string>{}(to_json(seen, 0))).second) {
      write_line(to_json(seen, pid));
    }
  }

  void write_line(std::string line) {
    line += '\n';
    for (std::string_view rest = line; !rest.empty();) {
      const ssize_t sent = write(kReportFd, rest.data(), rest.size());
      if (sent < 0 && errno != EINTR) {
        return; // nobody reads: the program goes on all the same
      }
      rest.remove_prefix(static_cast<std::size_t>(sent > 0 ? sent : 0));
    }
  }

  int finish() {
    reap(terminations_ > 1 ? WNOHANG : 0);
    Word failed{-1, 0};
    if (read(told_, &failed, sizeof failed) != sizeof failed) {
      failed.error = 0;
    }
    const bool exited = WIFEXITED(status_);
    std::string line = "{\"op\":\"exit\",\"code\":";
    line += exited ? std::to_string(WEXITSTATUS(status_)) : "null";
    line += ",\"signal\":" + (exited ? "null" : std::to_string(WTERMSIG(status_)));
    line += ",\"exec_errno\":" + std::to_string(failed.error);
    line += ",\"unreadable\":" + std::to_string(unreadable_);
    line += ",\"dropped\":" + std::to_string(dropped_) + "}";
    write_line(line);
    return 0;
  }

  const int listener_;
  const int told_;
  const int signals_;
  const pid_t program_;
  int status_ = SIGKILL;
  int terminations_ = 0;
  std::uint64_t unreadable_ = 0;
  std::uint64_t dropped_ = 0;
  std::unordered_set<std::size_t> lines_;
};

int fail(const char* what, int error) {
  (void)fprintf(stderr, "aaos-observe: %s: %s\n", what, strerror(error));
  return 2;
}

int observe(char** argv) {
  int told[2];
  sigset_t ours;
  sigset_t before;
  sigemptyset(&ours);
  for (const int signal : {SIGCHLD, SIGTERM, SIGHUP}) {
    sigaddset(&ours, signal);
  }
  // Ctrl-C is the program's: it goes to the whole group of the terminal.
  (void)signal(SIGINT, SIG_IGN);
  (void)signal(SIGPIPE, SIG_IGN);
  sigprocmask(SIG_BLOCK, &ours, &before);
  const int signals = signalfd(-1, &ours, SFD_CLOEXEC);
  if (sys::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0 || signals < 0 ||
      pipe2(told, O_CLOEXEC | O_NONBLOCK) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) != 0 ||
      prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    return fail("cannot prepare", errno);
  }
  // One table of descriptors until the program executes: so the listener is ours without being
  // sent.
  const auto program = static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
  if (program == 0) {
    become(argv, told[1], before);
  }
  if (program < 0) {
    return fail("cannot start a process", errno);
  }
  Word word{-1, 0};
  pollfd ready{told[0], POLLIN, 0};
  while (poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
  if (read(told[0], &word, sizeof word) != sizeof word || word.error != 0) {
    return fail("cannot observe (seccomp user notification)", word.error != 0 ? word.error : EIO);
  }
  return Observer(word.listener, told[0], signals, program).run();
}

} // namespace
} // namespace aaos::observe

int main(int argc, char** argv) {
  if (argc < 2 || fcntl(aaos::observe::kReportFd, F_GETFD) < 0) {
    (void)fputs(
        "aaos-observe: started by `agentd learn`, with a pipe as descriptor 3; not by hand\n",
        stderr);
    return 2;
  }
  return aaos::observe::observe(argv + 1);
}
