// Capabilities: none in any set, and no way back.
#pragma once

namespace aaos::caps {

// Empties bounding, ambient, inheritable, permitted and effective, and locks the secure bits so
// that uid 0 and execve give none back. 0 or errno. Allocates nothing.
int drop_all();

} // namespace aaos::caps
