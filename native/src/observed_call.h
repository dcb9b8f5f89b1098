// What a stopped process is about to ask of the kernel, read from outside: telemetry for a person,
// never a decision. Its memory may change between our look and the kernel's, and what io_uring or
// another process does for it is not seen here.
#pragma once

#include <cstdint>
#include <linux/seccomp.h>
#include <string>
#include <vector>

namespace aaos::observe {

enum class Op : std::uint8_t { kRead, kWrite, kLook, kExec, kConnect, kUnreadable };

struct Observation {
  Op op = Op::kUnreadable;
  const char* call = "";
  // Files and programs: free of links where it exists, else its directory is. `asked` is absolute,
  // as the program named it.
  std::string path;
  std::string asked;
  const char* kind = "absent"; // "file", "dir", "other"
  std::vector<std::string> argv;
  // Connections: an address and port, or a socket's path in `path`.
  std::string host;
  std::uint16_t port = 0;
  const char* protocol = "unknown"; // "tcp", "udp", "unix"
};

// The numbers that are worth asking about on this machine.
const std::vector<std::uint32_t>& observed_numbers();

// Reads the call that `question` stands for. Nothing for one that touches nothing of interest.
std::vector<Observation> read_call(const seccomp_notif& question);

// One line of JSON, without the newline. Bytes that are no UTF-8 become U+FFFD.
std::string to_json(const Observation& seen, std::uint32_t pid);

} // namespace aaos::observe
