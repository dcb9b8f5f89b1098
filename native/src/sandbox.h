// One confined process, from the request to its last event. The launcher owns many of these and
// waits for all of them.
#pragma once

#include "cgroup.h"
#include "child.h"
#include "step.h"
#include "unique_fd.h"

#include <memory>
#include <string>
#include <vector>

namespace aaos {

struct Failure {
  Step step = Step::kPlan;
  int error = 0;
  std::string detail; // the path, port or line it is about
};

class Sandbox {
public:
  // Reads the plan, prepares every layer and clones. Null on failure, with the step that failed;
  // nothing is left then.
  static std::unique_ptr<Sandbox> launch(std::string_view plan_text, std::vector<UniqueFd> fds,
                                         Failure& failure);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  enum class State : std::uint8_t { kLaunching, kRunning, kFailed };
  State state() const { return state_; }
  const Failure& failure() const { return failure_; }
  pid_t pid() const { return pid_; }
  int control_fd() const { return control_.get(); }
  int pid_fd() const { return pidfd_.get(); }
  int notify_fd() const { return notify_.get(); }

  // Takes what the child reported. A step that failed, or came out of turn, kills it.
  void read_reports();
  // Answers one question about an execve: the first ones go on, those over the limit get EACCES.
  // False at the end.
  bool answer_exec();
  // SIGKILL ends everything in it; another signal goes to the program.
  void kill(int signal);
  // Reaps; true once, when the whole sandbox is gone.
  bool reap();
  bool remove_cgroup() { return leaf_.remove(); }

  // For the daemon: what was enforced, as `layer=what` words; how it ended; the descriptors it
  // gets.
  std::string enforced() const;
  std::string outcome() const;
  std::vector<UniqueFd> take_descriptors();

private:
  Sandbox() = default;
  bool prepare(std::string_view plan_text, std::vector<UniqueFd>& fds, Failure& failure);
  bool clone_child(Failure& failure);
  void accept_report(const Report& report, std::vector<UniqueFd> fds);
  void fail(Step step, int error, const std::string& detail);
  std::string describe(Step step, int detail) const;
  std::uint32_t required_steps() const;

  Launch launch_{};
  State state_ = State::kLaunching;
  Failure failure_;
  cgroup::Leaf leaf_{};
  cgroup::Stats stats_{};
  UniqueFd control_;
  UniqueFd pidfd_;
  UniqueFd notify_;
  std::vector<UniqueFd> stdio_;
  std::vector<UniqueFd> listeners_;
  std::vector<std::string> strings_; // what argv and envp point to, beside the plan
  pid_t pid_ = -1;
  std::uint32_t steps_done_ = 0;
  std::uint32_t execs_ = 0;
  std::uint32_t execs_refused_ = 0;
  int program_status_ = -1;
  bool reaped_ = false;
  std::uint64_t user_usec_ = 0;
  std::uint64_t system_usec_ = 0;
  std::uint64_t max_rss_kb_ = 0;
};

} // namespace aaos
