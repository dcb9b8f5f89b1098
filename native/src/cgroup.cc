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

int Leaf::prepare(const Cgroup& plan, const char*& what) {
  what = plan.parent.c_str();
  name_ = plan.name;
  parent_.reset(open(plan.parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!parent_ || mkdirat(parent_.get(), name_.c_str(), 0755) != 0) {
    return errno;
  }
  leaf_.reset(
      openat(parent_.get(), name_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!leaf_) {
    const int error = errno;
    unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
    return error;
  }
  int error = 0;
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
  return true;
}

} // namespace aaos::cgroup
