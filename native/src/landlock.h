// Landlock: the rules of the plan on paths of the private root.
#pragma once

#include "plan.h"

namespace aaos::landlock {

// Rights that the running kernel (its ABI) is able to handle. Source: landlock(7), one row an ABI.
std::uint64_t fs_rights_of_abi(int abi);

// 0, or an errno where the kernel has less than the plan asks for: EOPNOTSUPP for the ABI or a
// right, EINVAL for a rule with a right that is not handled.
int prepare(const Landlock& plan);

// Restricts the calling thread for good. Needs no_new_privs. Returns 0 or an errno; `detail` is
// then the rule's index, fs rules first. Allocates nothing.
int apply(const Landlock& plan, int& detail);

} // namespace aaos::landlock
