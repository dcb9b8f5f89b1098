// What runs in the new process: the order of confinement, then the program and the init beside it.
#pragma once

#include "mounts.h"
#include "namespaces.h"
#include "plan.h"
#include "seccomp.h"

#include <vector>

namespace aaos {

inline constexpr std::size_t kMaxDescriptors = 16;
inline constexpr std::size_t kMaxListeners = 8;

// Everything that the child needs, made before the clone: it allocates nothing.
struct Launch {
  Plan plan;
  mounts::Prepared root;
  seccomp::Program filter;
  seccomp::Program exec_filter;
  seccomp::Program init_filter;
  namespaces::IdMaps maps{};
  std::vector<char*> argv;
  std::vector<char*> envp;
  int descriptors[kMaxDescriptors] = {}; // become 0, 1, 2, … of the program
  std::size_t descriptor_count = 0;
  int control = -1;
  std::uint32_t done = 0; // bits of the steps that are
#ifdef AAOS_ABLATION
  int pause_at = -1;
#endif
};

// Never returns. The process is pid 1 of its namespace.
[[noreturn]] void run_child(Launch& launch);

// Whether a test build was asked to leave this layer out; constant false in the shipped launcher.
inline bool omits([[maybe_unused]] const Plan& plan, [[maybe_unused]] Layer layer) {
#ifdef AAOS_ABLATION
  return (plan.omit & layer) != 0;
#else
  return false;
#endif
}

} // namespace aaos
