// A process that waits for our answer: its memory, directories and descriptors, read through /proc
// with the rights of its owner.
#pragma once

#include "unique_fd.h"

#include <cstdint>
#include <optional>
#include <string>

namespace aaos::observe {

class Tracee {
public:
  // `tid` is the thread that asked.
  explicit Tracee(std::uint32_t tid);

  // At most `size` bytes; shorter where the mapping ends.
  std::string bytes(std::uint64_t address, std::size_t size) const;
  // Up to and without the NUL; nothing where there is none within `limit` bytes.
  std::optional<std::string> text(std::uint64_t address, std::size_t limit) const;
  std::optional<std::uint64_t> word(std::uint64_t address) const;

  struct Place {
    std::string path;  // free of links, as far as it exists
    std::string asked; // absolute, lexically normalised
    const char* kind = "absent";
  };
  // Where `path` leads from `dir` (AT_FDCWD, or one of its descriptors). `follow`: a link as the
  // last part is followed.
  std::optional<Place> resolve(int dir, const std::string& path, bool follow) const;

  // SOCK_STREAM, SOCK_DGRAM, …, or -1 where the descriptor cannot be looked at.
  int socket_type(int fd) const;

private:
  std::string proc_;
  UniqueFd memory_;
};

} // namespace aaos::observe
