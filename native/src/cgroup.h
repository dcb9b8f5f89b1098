// The cgroup v2 leaf of one sandbox: made and limited before the clone, entered by it, killed as a
// whole, removed at the end. The leaves of one agent lie in a group, which is there while one of
// them is. A launch may raise its limits, never lower them under what runs.
#pragma once

#include "plan.h"
#include "unique_fd.h"

namespace aaos::cgroup {

struct Stats {
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t cpu_usec = 0;
  std::uint64_t oom_kills = 0;
};

class Leaf {
public:
  // Makes the leaf and writes its limits. 0 or errno; `what` is then the file that refused.
  int prepare(const Cgroup& plan, const char*& what);

  bool exists() const { return static_cast<bool>(leaf_); }
  // For CLONE_INTO_CGROUP.
  int fd() const { return leaf_.get(); }
  void kill() const;
  Stats stats() const;
  // True once nothing is left of it; a leaf whose last process is still being reaped says false and
  // is asked again.
  bool remove();

private:
  int prepare_group(const Cgroup& plan, const char*& what);
  void remove_group();

  std::string name_;
  std::string group_name_;
  // Of the group; open while it is to be removed.
  UniqueFd above_;
  UniqueFd parent_;
  UniqueFd leaf_;
};

} // namespace aaos::cgroup
