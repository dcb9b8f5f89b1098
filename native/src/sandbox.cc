#include "sandbox.h"

#include "landlock.h"
#include "sys.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace aaos {
namespace {

std::uint64_t microseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(time.tv_usec);
}

std::string joined(std::uint64_t bits, const std::string_view* names, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    if ((bits >> i & 1) != 0) {
      out.append(out.empty() ? "" : ",").append(names[i]);
    }
  }
  return out.empty() ? "none" : out;
}

} // namespace

std::unique_ptr<Sandbox> Sandbox::launch(std::string_view plan_text, std::vector<UniqueFd> fds,
                                         Failure& failure) {
  std::unique_ptr<Sandbox> sandbox(new Sandbox());
  if (!sandbox->prepare(plan_text, fds, failure) || !sandbox->clone_child(failure)) {
    sandbox->leaf_.remove();
    return nullptr;
  }
  return sandbox;
}

Sandbox::~Sandbox() {
  if (pid_ > 0 && !reaped_) {
    kill(SIGKILL);
    (void)waitpid(pid_, nullptr, 0);
  }
  (void)leaf_.remove();
}

bool Sandbox::prepare(std::string_view plan_text, std::vector<UniqueFd>& fds, Failure& failure) {
  Plan& plan = launch_.plan;
  PlanError error;
  failure = {Step::kPlan, EINVAL, {}};
  if (!parse_plan(plan_text, plan, error)) {
    failure.detail = "line " + std::to_string(error.line) + ": " + error.what;
    return false;
  }
  if (fds.size() < 3 || fds.size() > kMaxDescriptors) {
    failure.detail = "needs 3 to 16 descriptors";
    return false;
  }
  if (!seccomp::assemble(plan.seccomp, launch_.filter)) {
    failure.detail = "the system call table is not for this architecture, or too long";
    return false;
  }
  launch_.exec_filter = seccomp::exec_filter();
  launch_.init_filter = seccomp::init_filter();
  if (const int code = landlock::prepare(plan.landlock); code != 0) {
    failure = {Step::kPrepareLandlock, code, "abi " + std::to_string(sys::landlock_abi())};
    return false;
  }
  std::string bad_path;
  if (const int code = mounts::prepare(plan, launch_.root, bad_path); code != 0) {
    failure = {Step::kPrepareRoot, code, bad_path};
    return false;
  }
  launch_.maps = namespaces::prepare_maps(plan);
  for (std::string& argument : plan.argv) {
    launch_.argv.push_back(argument.data());
  }
  launch_.argv.push_back(nullptr);
  for (const auto& [name, value] : plan.env) {
    strings_.emplace_back(name).append(1, '=').append(value);
  }
  for (std::string& pair : strings_) {
    launch_.envp.push_back(pair.data());
  }
  launch_.envp.push_back(nullptr);
  for (const UniqueFd& fd : fds) {
    launch_.descriptors[launch_.descriptor_count++] = fd.get();
  }
  stdio_ = std::move(fds);
#ifdef AAOS_ABLATION
  const auto* const named = std::find(std::begin(kStepNames), std::end(kStepNames), plan.pause_at);
  launch_.pause_at = static_cast<int>(named - std::begin(kStepNames));
#endif
  return true;
}

bool Sandbox::clone_child(Failure& failure) {
  const char* what = "";
  if (launch_.plan.cgroup) {
    if (const int code = leaf_.prepare(*launch_.plan.cgroup, what); code != 0) {
      failure = {Step::kCgroup, code, what};
      return false;
    }
  }
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    failure = {Step::kClone, errno, "socketpair"};
    return false;
  }
  control_.reset(ends[0]);
  const UniqueFd child_end(ends[1]);
  launch_.control = child_end.get();
  int pidfd = -1;
  clone_args args{};
  args.flags = namespaces::clone_flags(launch_.plan) | CLONE_PIDFD | CLONE_CLEAR_SIGHAND;
  if (omits(launch_.plan, kOmitNet)) {
    args.flags &= ~static_cast<std::uint64_t>(CLONE_NEWNET);
  }
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (leaf_.exists()) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(leaf_.fd());
  }
  pid_ = sys::clone3(args);
  if (pid_ == 0) {
    run_child(launch_);
  }
  if (pid_ < 0) {
    failure = {Step::kClone, errno, {}};
    return false;
  }
  pidfd_.reset(pidfd);
  stdio_.clear();
  return true;
}

void Sandbox::read_reports() {
  for (;;) {
    Report report;
    alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMaxListeners)];
    iovec data{&report, sizeof report};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space;
    message.msg_controllen = sizeof space;
    const ssize_t got = recvmsg(control_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0 && errno == EAGAIN) {
      return;
    }
    if (got <= 0) {
      control_.reset();
      return;
    }
    std::vector<UniqueFd> fds;
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      for (std::size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
        int fd = -1;
        memcpy(&fd, reinterpret_cast<char*>(c) + at, sizeof fd);
        fds.emplace_back(fd);
      }
    }
    if (got == static_cast<ssize_t>(sizeof report)) {
      accept_report(report, std::move(fds));
    }
  }
}

void Sandbox::accept_report(const Report& report, std::vector<UniqueFd> fds) {
  if (static_cast<unsigned>(report.step) >= static_cast<unsigned>(Step::kCount)) {
    return fail(Step::kInit, EPROTO, {});
  }
  switch (report.type) {
  case Report::kFailed:
    return fail(report.step, report.error, describe(report.step, report.detail));
  case Report::kListeners:
    listeners_ = std::move(fds);
    return;
  case Report::kNotify:
    if (!fds.empty()) {
      notify_ = std::move(fds.front());
    }
    return;
  case Report::kExited:
    program_status_ = report.error;
    return;
  case Report::kDone:
    break;
  }
  steps_done_ |= report.done;
  if (report.step == Step::kRelease) {
    const bool listening =
        listeners_.size() == launch_.plan.listeners.size() || omits(launch_.plan, kOmitNet);
    if (state_ != State::kLaunching || (required_steps() & ~steps_done_) != 0 || !listening ||
        send(control_.get(), "g", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1) {
      fail(Step::kRelease, EPROTO, {});
    }
  } else if (report.step == Step::kExec && state_ == State::kLaunching) {
    state_ = State::kRunning;
  }
}

// Every step between the clone and the release, less what this plan has no use for.
std::uint32_t Sandbox::required_steps() const {
  const Plan& plan = launch_.plan;
  std::uint32_t steps = 0;
  for (auto step = Step::kDescriptors; step <= Step::kRelease;
       step = static_cast<Step>(static_cast<unsigned>(step) + 1)) {
    steps |= bit(step);
  }
  if ((plan.namespaces & kNsNet) == 0 || omits(plan, kOmitNet)) {
    steps &= ~(bit(Step::kLoopback) | bit(Step::kListeners));
  }
  if (omits(plan, kOmitRoot)) {
    steps &= ~(bit(Step::kRoot) | bit(Step::kProc) | bit(Step::kEnterRoot));
  }
  if (omits(plan, kOmitCaps)) {
    steps &= ~bit(Step::kCapabilities);
  }
  if (omits(plan, kOmitLandlock)) {
    steps &= ~bit(Step::kLandlock);
  }
  return steps;
}

std::string Sandbox::describe(Step step, int detail) const {
  const Plan& plan = launch_.plan;
  const auto index = static_cast<std::size_t>(detail);
  if (detail < 0) {
    return {};
  }
  if (step == Step::kRoot && index < launch_.root.actions.size()) {
    return launch_.root.actions[index].path;
  }
  if (step == Step::kLandlock) {
    const auto& rules = plan.landlock.fs_rules;
    return index < rules.size() ? rules[index].path : "port rule";
  }
  if (step == Step::kLimits && index < plan.rlimits.size()) {
    return std::string(kRlimits[plan.rlimits[index].which]);
  }
  if (step == Step::kListeners && index < plan.listeners.size()) {
    return "port " + std::to_string(plan.listeners[index].port);
  }
  return {};
}

void Sandbox::fail(Step step, int error, const std::string& detail) {
  if (state_ == State::kLaunching) {
    state_ = State::kFailed;
    failure_ = {step, error, detail};
  }
  kill(SIGKILL);
}

bool Sandbox::answer_exec() {
  seccomp_notif question{};
  if (ioctl(notify_.get(), SECCOMP_IOCTL_NOTIF_RECV, &question) != 0) {
    return errno == ENOENT || errno == EINTR; // the asker was killed meanwhile
  }
  seccomp_notif_resp answer{};
  answer.id = question.id;
  if (++execs_ <= launch_.plan.exec_limit.value_or(0)) {
    answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  } else {
    answer.error = -EACCES;
    ++execs_refused_;
  }
  return ioctl(notify_.get(), SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0 || errno == ENOENT;
}

void Sandbox::kill(int signal) {
  if (signal == SIGKILL) {
    leaf_.kill();
  }
  (void)sys::pidfd_send_signal(pidfd_.get(), signal);
}

bool Sandbox::reap() {
  rusage usage{};
  int status = 0;
  if (reaped_ || wait4(pid_, &status, WNOHANG, &usage) != pid_) {
    return false;
  }
  reaped_ = true;
  read_reports();
  if (program_status_ < 0) {
    program_status_ = SIGKILL; // the init never reported: it was killed with the whole sandbox
  }
  if (state_ == State::kLaunching) {
    fail(Step::kInit, ECHILD, "killed during launch");
  }
  user_usec_ = microseconds(usage.ru_utime);
  system_usec_ = microseconds(usage.ru_stime);
  max_rss_kb_ = static_cast<std::uint64_t>(usage.ru_maxrss);
  stats_ = leaf_.stats();
  return true;
}

std::string Sandbox::enforced() const {
  const Plan& plan = launch_.plan;
  std::string out = "namespaces=" + joined(plan.namespaces, kNamespaces, std::size(kNamespaces));
  out += " root=" + std::to_string(launch_.root.actions.size());
  out += " landlock=" + std::to_string(plan.landlock.abi);
  out += " seccomp=" + std::to_string(plan.seccomp.rules.size());
  out += " capabilities=none no-new-privs=1";
  out += " rlimits=" + std::to_string(plan.rlimits.size());
  std::uint64_t controllers = 0;
  if (plan.cgroup) {
    controllers = (plan.cgroup->memory_max_bytes ? 1u : 0u) | (plan.cgroup->pids_max ? 2u : 0u) |
                  (plan.cgroup->cpu_max_millis ? 4u : 0u) | (plan.cgroup->io_weight ? 8u : 0u);
  }
  constexpr std::string_view names[] = {"memory", "pids", "cpu", "io"};
  out += " cgroup=" + (plan.cgroup ? joined(controllers, names, 4) : std::string("-"));
  out += " exec-limit=" + (plan.exec_limit ? std::to_string(*plan.exec_limit) : std::string("-"));
#ifdef AAOS_ABLATION
  out += " omitted=" + joined(plan.omit, kLayers, std::size(kLayers));
#endif
  return out;
}

// code, signal, user and system time, peak resident set, then the cgroup's peak memory, cpu time
// and oom kills, then execs refused.
std::string Sandbox::outcome() const {
  const bool exited = WIFEXITED(program_status_);
  std::string out = exited ? std::to_string(WEXITSTATUS(program_status_)) : "-";
  out += ' ' + (exited ? std::string("-") : std::to_string(WTERMSIG(program_status_)));
  for (const std::uint64_t number :
       {user_usec_, system_usec_, max_rss_kb_, stats_.memory_peak_bytes, stats_.cpu_usec,
        stats_.oom_kills, static_cast<std::uint64_t>(execs_refused_)}) {
    out += ' ' + std::to_string(number);
  }
  return out;
}

std::vector<UniqueFd> Sandbox::take_descriptors() {
  std::vector<UniqueFd> fds;
  fds.emplace_back(fcntl(pidfd_.get(), F_DUPFD_CLOEXEC, 0));
  std::move(listeners_.begin(), listeners_.end(), std::back_inserter(fds));
  listeners_.clear();
  return fds;
}

} // namespace aaos
