#include "tracee.h"

#include "sys.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <vector>

namespace aaos::observe {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kMaxPath = 4096;

std::optional<std::string> link_target(const std::string& link) {
  char target[kMaxPath];
  const ssize_t size = readlink(link.c_str(), target, sizeof target);
  if (size <= 0 || static_cast<std::size_t>(size) == sizeof target) {
    return std::nullopt;
  }
  return std::string(target, static_cast<std::size_t>(size));
}

// Without empty parts, `.` and `..`, as text.
std::string normalise(const std::string& path) {
  std::vector<std::string_view> parts;
  const std::string_view all = path;
  for (std::size_t at = 0; at <= all.size();) {
    const std::size_t end = std::min(all.find('/', at), all.size());
    const std::string_view part = all.substr(at, end - at);
    at = end + 1;
    if (part == "..") {
      if (!parts.empty()) {
        parts.pop_back();
      }
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string out;
  for (const std::string_view part : parts) {
    out.append("/").append(part);
  }
  return out.empty() ? "/" : out;
}

const char* kind_of(mode_t mode) {
  return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "dir" : "other";
}

// Below /proc a path means the process that asks, which is not us.
bool is_own_proc(const std::string& path) {
  return path == "/proc" || path.starts_with("/proc/");
}

// The path of what an O_PATH descriptor holds; it opens nothing, so it blocks on no FIFO and wakes
// no device.
bool locate(int dir, const char* path, bool follow, Tracee::Place& out) {
  const UniqueFd found(openat(dir, path, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW)));
  struct stat about {};
  if (!found || fstat(found.get(), &about) != 0) {
    return false;
  }
  const auto target = link_target("/proc/self/fd/" + std::to_string(found.get()));
  if (!target || target->front() != '/') {
    return false;
  }
  out.path = *target;
  out.kind = kind_of(about.st_mode);
  return true;
}

} // namespace

Tracee::Tracee(std::uint32_t tid)
    : proc_("/proc/" + std::to_string(tid)),
      memory_(open((proc_ + "/mem").c_str(), O_RDONLY | O_CLOEXEC)) {}

std::string Tracee::bytes(std::uint64_t address, std::size_t size) const {
  std::string out;
  while (out.size() < size && address != 0) {
    // Page by page: a string may lie at the end of a mapping.
    const std::uint64_t from = address + out.size();
    const std::size_t step = std::min(size - out.size(), kPage - (from & (kPage - 1)));
    char buffer[kPage];
    const ssize_t got = pread(memory_.get(), buffer, step, static_cast<off_t>(from));
    if (got <= 0) {
      break;
    }
    out.append(buffer, static_cast<std::size_t>(got));
  }
  return out;
}

std::optional<std::string> Tracee::text(std::uint64_t address, std::size_t limit) const {
  std::string out;
  while (out.size() < limit && address != 0) {
    const std::uint64_t from = address + out.size();
    const std::size_t step = std::min(limit - out.size(), kPage - (from & (kPage - 1)));
    const std::string piece = bytes(from, step);
    const std::size_t end = piece.find('\0');
    out.append(piece, 0, end);
    if (end != std::string::npos) {
      return out;
    }
    if (piece.size() < step) {
      break;
    }
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Tracee::word(std::uint64_t address) const {
  const std::string raw = bytes(address, sizeof(std::uint64_t));
  std::uint64_t value = 0;
  if (raw.size() != sizeof value) {
    return std::nullopt;
  }
  memcpy(&value, raw.data(), sizeof value);
  return value;
}

std::optional<Tracee::Place> Tracee::resolve(int dir, const std::string& path, bool follow) const {
  const std::string base_link =
      dir == AT_FDCWD ? proc_ + "/cwd" : proc_ + "/fd/" + std::to_string(dir);
  const auto base = path.starts_with('/') ? std::optional<std::string>("") : link_target(base_link);
  if (!base || (!base->empty() && base->front() != '/')) {
    return std::nullopt;
  }
  Place place;
  place.asked = normalise(*base + "/" + path);
  place.path = place.asked;
  if (is_own_proc(place.asked)) {
    place.kind = "other";
    return place;
  }
  const UniqueFd from(path.starts_with('/') ? -1 : open(base_link.c_str(), O_PATH | O_CLOEXEC));
  // With the tracee's own spelling: `x/..` through a link is not what the text says.
  if (locate(from.get(), path.empty() ? "." : path.c_str(), follow, place)) {
    return place;
  }
  const std::size_t slash = place.asked.rfind('/');
  const std::string name = place.asked.substr(slash + 1);
  Place parent;
  if (locate(AT_FDCWD, slash == 0 ? "/" : place.asked.substr(0, slash).c_str(), true, parent)) {
    place.path = (parent.path == "/" ? "" : parent.path) + "/" + name;
  }
  return place;
}

int Tracee::socket_type(int fd) const {
  // The process of the thread: the third line or so of its status.
  const UniqueFd status(open((proc_ + "/status").c_str(), O_RDONLY | O_CLOEXEC));
  char text[512];
  const ssize_t got = read(status.get(), text, sizeof text);
  const std::string_view about(text, static_cast<std::size_t>(got > 0 ? got : 0));
  const std::size_t at = about.find("Tgid:\t");
  int group = -1;
  if (at != std::string_view::npos) {
    (void)std::from_chars(about.data() + at + 6, about.data() + about.size(), group);
  }
  const UniqueFd process(group > 0 ? static_cast<int>(syscall(SYS_pidfd_open, group, 0U)) : -1);
  const UniqueFd copy(process ? static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), fd, 0U))
                              : -1);
  int type = -1;
  socklen_t size = sizeof type;
  return copy && getsockopt(copy.get(), SOL_SOCKET, SO_TYPE, &type, &size) == 0 ? type : -1;
}

} // namespace aaos::observe
