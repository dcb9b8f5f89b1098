// aaos-spawn: carries out confinement plans for the daemon that started it. Single-threaded,
// static, non-dumpable.
//
// Descriptor 3 is a SOCK_SEQPACKET socket to the daemon. It takes
//     spawn ID\n PLAN          with the program's descriptors 0, 1, 2, … (3 to 16 of them)
//     kill ID SIGNAL\n          9 ends the whole sandbox, another signal goes to the program
//     close\n
// and answers
//     started ID PID LAYER=WHAT…          with the pidfd and then the listeners' descriptors
//     failed ID STEP ERRNO DETAIL         nothing of it is left
//     exited ID CODE SIGNAL USER_US SYSTEM_US MAX_RSS_KB CGROUP_PEAK CGROUP_CPU_US OOM_KILLS
//     EXECS_REFUSED
// Fields are encoded as in a plan. When the socket closes or the daemon dies, every sandbox is
// killed and its cgroup removed.
#include "channel.h"
#include "sandbox.h"
#include "sys.h"

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <map>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

namespace aaos {
namespace {

constexpr int kDaemonFd = 3;

// What an epoll event is about: a sandbox's id and which of its descriptors, or the daemon or a
// signal (id 0).
enum class Source : std::uint8_t { kDaemon, kSignal, kControl, kPidfd, kNotify };

std::uint64_t tag(std::uint32_t id, Source source) {
  return std::uint64_t{id} << 8 | static_cast<std::uint64_t>(source);
}

bool take_number(std::string_view& text, char end, std::uint32_t& out) {
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || at == text.data() + text.size() || *at != end) {
    return false;
  }
  text.remove_prefix(static_cast<std::size_t>(at - text.data()) + 1);
  return true;
}

class Launcher {
public:
  explicit Launcher(int signals) : epoll_(epoll_create1(EPOLL_CLOEXEC)), channel_(kDaemonFd) {
    watch(kDaemonFd, tag(0, Source::kDaemon));
    watch(signals, tag(0, Source::kSignal));
  }

  // Until the daemon is gone.
  void run() {
    while (alive_) {
      epoll_event events[64];
      const int timeout_ms = leftovers_.empty() ? -1 : 20;
      const int count = epoll_wait(epoll_.get(), events, 64, timeout_ms);
      for (int i = 0; i < count && alive_; ++i) {
        dispatch(events[i].data.u64, events[i].events);
      }
      std::erase_if(leftovers_, [](auto& sandbox) { return sandbox->remove_cgroup(); });
    }
  }

  // Leaves no process and no cgroup behind: kills all first, then waits for each.
  void end() {
    for (auto& [id, sandbox] : sandboxes_) {
      sandbox->kill(SIGKILL);
    }
    for (auto& [id, sandbox] : sandboxes_) {
      pollfd gone{sandbox->pid_fd(), POLLIN, 0};
      poll(&gone, 1, 5000);
      sandbox->reap();
      leftovers_.push_back(std::move(sandbox));
    }
    for (int tries = 0; tries < 50 && !leftovers_.empty(); ++tries) {
      std::erase_if(leftovers_, [](auto& sandbox) { return sandbox->remove_cgroup(); });
      poll(nullptr, 0, leftovers_.empty() ? 0 : 10);
    }
  }

private:
  void watch(int fd, std::uint64_t data) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = data;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      alive_ = false;
    }
  }

  void reply(std::string text, std::vector<UniqueFd> fds = {}) {
    alive_ = channel_.send(std::move(text), std::move(fds)) && alive_;
    watch_daemon();
  }

  void watch_daemon() {
    epoll_event event{};
    event.events = EPOLLIN | (channel_.wants_to_write() ? static_cast<unsigned>(EPOLLOUT) : 0U);
    event.data.u64 = tag(0, Source::kDaemon);
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, kDaemonFd, &event);
  }

  void reply_failed(std::uint32_t id, const Failure& failure) {
    reply("failed " + std::to_string(id) + ' ' +
          std::string(kStepNames[static_cast<std::size_t>(failure.step)]) + ' ' +
          std::to_string(failure.error) + ' ' + encode_field(failure.detail));
  }

  void dispatch(std::uint64_t data, std::uint32_t events) {
    const auto source = static_cast<Source>(data & 0xff);
    if (source == Source::kDaemon) {
      return on_daemon(events);
    }
    if (source == Source::kSignal) {
      alive_ = false;
      return;
    }
    const auto found = sandboxes_.find(static_cast<std::uint32_t>(data >> 8));
    if (found == sandboxes_.end()) {
      return;
    }
    if (source == Source::kControl) {
      on_control(found->first, *found->second);
    } else if (source == Source::kNotify) {
      on_notify(*found->second, events);
    } else {
      on_exit(found->first, *found->second);
    }
  }

  void on_daemon(std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) {
      alive_ = channel_.flush() && alive_;
      watch_daemon();
    }
    std::string text;
    std::vector<UniqueFd> fds;
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) {
      return;
    }
    const Channel::Received received = channel_.receive(text, fds);
    if (received == Channel::Received::kClosed) {
      alive_ = false;
    } else if (received == Channel::Received::kMessage) {
      on_request(text, std::move(fds));
    }
  }

  // A request that is none means that the two sides do not fit together: the launcher ends, and the
  // daemon says so.
  void on_request(std::string_view text, std::vector<UniqueFd> fds) {
    std::uint32_t id = 0;
    if (text.starts_with("spawn ")) {
      text.remove_prefix(6);
      if (take_number(text, '\n', id) && id != 0 && !sandboxes_.contains(id)) {
        return spawn(id, text, std::move(fds));
      }
    } else if (text.starts_with("kill ")) {
      text.remove_prefix(5);
      std::uint32_t signal = 0;
      if (take_number(text, ' ', id) && take_number(text, '\n', signal) && signal < NSIG) {
        if (const auto found = sandboxes_.find(id); found != sandboxes_.end()) {
          found->second->kill(static_cast<int>(signal));
        }
        return;
      }
    } else if (text == "close\n") {
      alive_ = false;
      return;
    }
    (void)fputs("aaos-spawn: a request was malformed\n", stderr);
    alive_ = false;
  }

  void spawn(std::uint32_t id, std::string_view plan, std::vector<UniqueFd> fds) {
    Failure failure;
    std::unique_ptr<Sandbox> sandbox = Sandbox::launch(plan, std::move(fds), failure);
    if (!sandbox) {
      return reply_failed(id, failure);
    }
    watch(sandbox->control_fd(), tag(id, Source::kControl));
    watch(sandbox->pid_fd(), tag(id, Source::kPidfd));
    sandboxes_.emplace(id, std::move(sandbox));
  }

  void on_control(std::uint32_t id, Sandbox& sandbox) {
    const Sandbox::State before = sandbox.state();
    const bool watched_notify = sandbox.notify_fd() >= 0;
    sandbox.read_reports();
    if (!watched_notify && sandbox.notify_fd() >= 0) {
      watch(sandbox.notify_fd(), tag(id, Source::kNotify));
    }
    if (before == Sandbox::State::kLaunching && sandbox.state() == Sandbox::State::kRunning) {
      announce(id, sandbox);
    }
  }

  void on_notify(Sandbox& sandbox, std::uint32_t events) {
    if ((events & EPOLLIN) == 0 || !sandbox.answer_exec()) {
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, sandbox.notify_fd(), nullptr);
    }
  }

  void announce(std::uint32_t id, Sandbox& sandbox) {
    reply("started " + std::to_string(id) + ' ' + std::to_string(sandbox.pid()) + ' ' +
              sandbox.enforced(),
          sandbox.take_descriptors());
  }

  void on_exit(std::uint32_t id, Sandbox& gone) {
    const Sandbox::State before = gone.state();
    if (!gone.reap()) {
      return;
    }
    // The daemon holds a duplicate, so closing ours would not end the watch.
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, gone.pid_fd(), nullptr);
    if (gone.state() == Sandbox::State::kFailed) {
      reply_failed(id, gone.failure());
    } else {
      if (before == Sandbox::State::kLaunching) {
        announce(id, gone); // it ended before its last report was read
      }
      reply("exited " + std::to_string(id) + ' ' + gone.outcome());
    }
    if (!gone.remove_cgroup()) {
      leftovers_.push_back(std::move(sandboxes_[id]));
    }
    sandboxes_.erase(id);
  }

  UniqueFd epoll_;
  Channel channel_;
  std::map<std::uint32_t, std::unique_ptr<Sandbox>> sandboxes_;
  std::vector<std::unique_ptr<Sandbox>> leftovers_; // gone, but their cgroup is still being emptied
  bool alive_ = true;
};

// Nothing of the daemon's comes along: no descriptor but 0 to 3, no signal setting, no
// supplementary group where we may drop them. Dies (with everything) when the daemon's main thread
// does.
bool isolate(int& signals) {
  rlimit files{};
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGINT);
  sigaddset(&blocked, SIGHUP);
  (void)signal(SIGCHLD, SIG_DFL);
  (void)signal(SIGPIPE, SIG_IGN);
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  if (geteuid() == 0 && setgroups(0, nullptr) != 0) {
    return false;
  }
  signals = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
  return sys::close_range(kDaemonFd + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && signals >= 0 &&
         sigprocmask(SIG_SETMASK, &blocked, nullptr) == 0 &&
         fcntl(kDaemonFd, F_SETFD, FD_CLOEXEC) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 &&
         prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0;
}

} // namespace
} // namespace aaos

int main() {
  int signals = -1;
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(aaos::kDaemonFd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
      type != SOCK_SEQPACKET) {
    (void)fputs("aaos-spawn: started by agentd, with its socket as descriptor 3; not by hand\n",
                stderr);
    return 2;
  }
  if (!aaos::isolate(signals)) {
    (void)fprintf(stderr, "aaos-spawn: cannot isolate itself: %s\n", strerror(errno));
    return 1;
  }
  aaos::Launcher launcher(signals);
  launcher.run();
  launcher.end();
  return 0;
}
