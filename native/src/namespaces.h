// Namespaces: what is cloned, the single-id maps, the name of the host, and the empty network with
// its listeners.
#pragma once

#include "plan.h"

#include <cstddef>

namespace aaos::namespaces {

// Written before the clone, because nothing may be formatted after it.
struct IdMaps {
  char uid[64];
  char gid[64];
};

std::uint64_t clone_flags(const Plan& plan);
IdMaps prepare_maps(const Plan& plan);

// Each: 0 or errno; none allocates.
int apply_maps(const IdMaps& maps);
int apply_hostname(const std::string& name);
int raise_loopback();
// Opens the plan's listeners into `fds`, which has room for all of them; `detail` is the index of
// the one that failed.
int open_listeners(const std::vector<Listener>& listeners, int* fds, int& detail);

} // namespace aaos::namespaces
