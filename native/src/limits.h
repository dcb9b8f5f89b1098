// Resource limits of the program: rlimits, soft and hard alike.
#pragma once

#include "plan.h"

namespace aaos::limits {

// 0 or errno; `detail` is then the index into plan.rlimits. Allocates nothing.
int apply(const std::vector<Rlimit>& limits, int& detail);

} // namespace aaos::limits
