#include "cgroup.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace aaos::cgroup {
namespace {

int write_at(int dir, const char* file, std::string_view text) {
  const UniqueFd fd(openat(dir, file, O_WRONLY | O_CLOEXEC));
  if (!fd) {
    return errno;
  }
  return write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

// The number after `key` in a flat keyed file, or the whole file's where key is empty; 0 where
// there is none.
std::uint64_t read_number(int dir, const char* file, std::string_view key) {
  const UniqueFd fd(openat(dir, file, O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  const ssize_t got = fd ? read(fd.get(), buffer, sizeof buffer) : -1;
  if (got <= 0) {
    return 0;
  }
  const std::string_view text(buffer, static_cast<std::size_t>(got));
  const std::size_t at = key.empty() ? 0 : text.find(key);
  std::uint64_t value = 0;
  if (at != std::string_view::npos) {
    std::from_chars(text.data() + at + key.size(), text.data() + text.size(), value);
  }
  return value;
}

} // namespace

int Leaf::prepare_group(const Cgroup& plan, const char*& what) {
  const CgroupGroup& group = *plan.group;
  what = group.name.c_str();
  group_name_ = group.name;
  above_ = std::move(parent_);
  const bool is_new = mkdirat(above_.get(), group_name_.c_str(), 0755) == 0;
  if (!is_new && errno != EEXIST) {
    return errno;
  }
  parent_.reset(
      openat(above_.get(), group_name_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!parent_) {
    return errno;
  }
  int error = 0;
  const auto set = [&](const char* file, const std::optional<std::uint64_t>& value) {
    if (error == 0 && value) {
      what = file;
      error = write_at(parent_.get(), file, std::to_string(*value));
    }
  };
  const auto raise = [&](const char* file, const std::optional<std::uint64_t>& value) {
    if (is_new || !value || read_number(parent_.get(), file, {}) < *value) {
      set(file, value);
    }
  };
  const auto hand_on = [&](const char* controller, bool is_limited) {
    if (error == 0 && is_limited) {
      what = controller;
      error = write_at(parent_.get(), "cgroup.subtree_control", controller);
    }
  };
  raise("memory.max", group.memory_max_bytes);
  raise("pids.max", group.pids_max);
  set("cpu.weight", group.cpu_weight);
  set("io.weight", group.io_weight);
  hand_on("+memory", plan.memory_max_bytes.has_value());
  hand_on("+pids", plan.pids_max.has_value());
  hand_on("+cpu", plan.cpu_max_millis.has_value());
  hand_on("+io", plan.io_weight.has_value());
  return error;
}

int Leaf::prepare(const Cgroup& plan, const char*& what) {
  what = plan.parent.c_str();
  name_ = plan.name;
  parent_.reset(open(plan.parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!parent_) {
    return errno;
  }
  int error = plan.group ? prepare_group(plan, what) : 0;
  if (error == 0 && mkdirat(parent_.get(), name_.c_str(), 0755) != 0) {
    error = errno;
  }
  if (error != 0) {
    remove_group();
    return error;
  }
  leaf_.reset(
      openat(parent_.get(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!leaf_) {
    error = errno;
    unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
    remove_group();
    return error;
  }
  const auto set = [&](const char* file, const std::string& text) {
    if (error == 0) {
      what = file;
      error = write_at(leaf_.get(), file, text);
    }
  };
  if (plan.memory_max_bytes) {
    set("memory.max", std::to_string(*plan.memory_max_bytes));
    set("memory.oom.group", "1");
    // Absent where the kernel has no swap accounting.
    if (error == 0 && faccessat(leaf_.get(), "memory.swap.max", W_OK, 0) == 0) {
      set("memory.swap.max", "0");
    }
  }
  if (plan.pids_max) {
    set("pids.max", std::to_string(*plan.pids_max));
  }
  if (plan.cpu_max_millis) {
    set("cpu.max", std::to_string(*plan.cpu_max_millis * 100) + " 100000");
  }
  if (plan.io_weight) {
    set("io.weight", std::to_string(*plan.io_weight));
  }
  return error;
}

void Leaf::kill() const {
  if (leaf_) {
    // The pid namespace's init is killed beside this, so a kernel without cgroup.kill loses
    // nothing.
    (void)write_at(leaf_.get(), "cgroup.kill", "1");
  }
}

Stats Leaf::stats() const {
  if (!leaf_) {
    return {};
  }
  return {read_number(leaf_.get(), "memory.peak", ""),
          read_number(leaf_.get(), "cpu.stat", "usage_usec "),
          read_number(leaf_.get(), "memory.events", "oom_kill ")};
}

bool Leaf::remove() {
  if (!leaf_) {
    return true;
  }
  if (unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR) != 0 && errno == EBUSY) {
    return false;
  }
  leaf_.reset();
  remove_group();
  return true;
}

void Leaf::remove_group() {
  // Another process of the agent keeps it (EBUSY); the last one takes it along.
  if (above_) {
    unlinkat(above_.get(), group_name_.c_str(), AT_REMOVEDIR);
    above_.reset();
  }
}

} // namespace aaos::cgroup
