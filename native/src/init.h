// The sandbox's pid 1 once the program runs.
#pragma once

#include "seccomp.h"

#include <sys/types.h>

namespace aaos {

// Reaps every orphan, passes SIGTERM, SIGINT and SIGHUP on to the program, reports the program's
// wait status on `control` and ends with it: whatever is left in the pid namespace is killed by the
// kernel then. SIGCHLD and the three are blocked.
[[noreturn]] void run_init(pid_t program, int control, const seccomp::Program& filter);

} // namespace aaos
