// Seccomp: the plan's table as a BPF program. Kills a foreign architecture (int 0x80, x32) before
// anything else, then decides calls with one constant answer (the kernel caches those), then calls
// whose arguments matter, then the default.
#pragma once

#include "plan.h"

#include <linux/filter.h>
#include <vector>

namespace aaos::seccomp {

using Program = std::vector<sock_filter>;

// False where the table cannot be meant for this machine or does not fit a filter.
bool assemble(const Seccomp& plan, Program& out);

// Asks the supervisor about every execve and execveat; everything else is left to the filters after
// it.
Program exec_filter();

// What the sandbox's init may do once the program runs: wait, signal, report, exit. Anything else
// kills it.
Program init_filter();

// Installs for the calling thread. 0 or errno; allocates nothing.
int apply(const Program& program);

// The same, returning the descriptor that notifications are read from, or -errno.
int apply_with_listener(const Program& program);

} // namespace aaos::seccomp
