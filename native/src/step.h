// The steps of a launch, in order. Each is acknowledged to the launcher, all up to the release in one
// message (a wake-up of the launcher for each would cost more than the steps); the program is
// released only after all of them.
#pragma once

#include <cstdint>
#include <string_view>

namespace aaos {

enum class Step : std::uint8_t {
  kPlan,
  kPrepareLandlock,
  kPrepareRoot,
  kCgroup,
  kClone,
  // In the child, from here on.
  kDescriptors,
  kIdMaps,
  kPrivateMounts,
  kRoot,
  kProc,
  kEnterRoot,
  kHostname,
  kLoopback,
  kListeners,
  kCapabilities,
  kNoNewPrivs,
  kLandlock,
  kRelease,
  // In the program's own process.
  kSession,
  kLimits,
  kDirectory,
  kExecFilter,
  kSeccomp,
  kExec,
  kInit,
  kCount,
};

inline constexpr std::string_view kStepNames[] = {
    "plan",         "prepare-landlock", "prepare-root",   "cgroup",    "clone",
    "descriptors",  "id-maps",          "private-mounts", "root",      "proc",
    "enter-root",   "hostname",         "loopback",       "listeners", "capabilities",
    "no-new-privs", "landlock",         "release",        "session",   "limits",
    "directory",    "exec-filter",      "seccomp",        "exec",      "init"};
static_assert(sizeof kStepNames / sizeof *kStepNames == static_cast<std::size_t>(Step::kCount));

constexpr std::uint32_t bit(Step step) {
  return 1u << static_cast<unsigned>(step);
}

// What a child tells its launcher, one datagram each.
struct Report {
  enum Type : std::uint8_t {
    kDone,      // the steps in `done` are, `step` the last of them
    kFailed,    // `step` failed with `error`, at item `detail` of the plan (or -1)
    kListeners, // carries the listeners' descriptors
    kNotify,    // carries the descriptor that asks about every execve
    kExited,    // the program ended; `error` is its wait status
  };
  Type type = kDone;
  Step step = Step::kPlan;
  std::int32_t error = 0;
  std::int32_t detail = -1;
  std::uint32_t done = 0;
};

} // namespace aaos
