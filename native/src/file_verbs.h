// The file worker's verbs: one request in, one reply out. Knows nothing of sockets.
#pragma once

#include "file_grants.h"
#include "file_wire.h"

namespace aaos::file {

// Carries the request out beneath the grants and leaves the whole reply in `reply`.
void perform(const Request& request, Grants& grants, Reply& reply);

} // namespace aaos::file
