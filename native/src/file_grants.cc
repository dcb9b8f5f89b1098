#include "file_grants.h"

#include "path.h"
#include "sys.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

namespace aaos::file {
namespace {

constexpr std::uint64_t kNoLinks = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t kBeneath = RESOLVE_BENEATH | kNoLinks;
constexpr int kMaxLinks = 40; // as the kernel

bool refuse(Refusal& refusal, int error, std::string_view path = {}, bool denial = false) {
  refusal = {error, denial, std::string(path)};
  return false;
}

// Pushes the components of `text` so that the first is on top.
void push_components(std::vector<std::string>& stack, std::string_view text) {
  std::size_t end = text.size();
  while (end > 0) {
    const std::size_t slash = text.rfind('/', end - 1);
    const std::size_t start = slash == std::string_view::npos ? 0 : slash + 1;
    if (end > start) {
      stack.emplace_back(text.substr(start, end - start));
    }
    end = slash == std::string_view::npos ? 0 : slash;
  }
}

// The link's target, or empty where the path is no link (or is absent). -1 in `error` otherwise.
std::string link_target(const std::string& path, int& error) {
  const UniqueFd fd(
      sys::openat2(AT_FDCWD, path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC, kNoLinks));
  struct stat status {};
  error = 0;
  if (!fd || fstat(fd.get(), &status) != 0) {
    error = errno == ENOENT ? 0 : errno;
    return {};
  }
  if (!S_ISLNK(status.st_mode)) {
    return {};
  }
  char buffer[4096];
  const ssize_t length = readlinkat(fd.get(), "", buffer, sizeof buffer);
  if (length <= 0 || length == static_cast<ssize_t>(sizeof buffer)) {
    error = length < 0 ? errno : ENAMETOOLONG;
    return {};
  }
  return {buffer, static_cast<std::size_t>(length)};
}

} // namespace

std::string_view Place::parent() const {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? std::string_view(".")
                                    : std::string_view(name).substr(0, slash);
}

std::string_view Place::base() const {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? std::string_view(name)
                                    : std::string_view(name).substr(slash + 1);
}

bool Grants::add(std::string_view spec) {
  if (spec.size() < 4 || !is_plan_path(spec.substr(2)) || (spec[1] != '*' && spec[1] != '=')) {
    return false;
  }
  Grant grant;
  grant.rights = spec[0] == 'r' ? kRead : spec[0] == 'w' ? kWrite : kRead | kWrite;
  grant.tree = spec[1] == '*';
  grant.path = spec.substr(2);
  if (spec[0] != 'r' && spec[0] != 'w' && spec[0] != 'b') {
    return false;
  }
  grants_.push_back(std::move(grant));
  return true;
}

// Opened when first needed and kept; a directory that was removed and made again is found anew.
int Grants::open_dir(Grant& grant) {
  struct stat status {};
  if (grant.dir && fstat(grant.dir.get(), &status) == 0 && status.st_nlink > 0) {
    return grant.dir.get();
  }
  std::string path = grant.path;
  if (!grant.tree) {
    const std::size_t slash = path.rfind('/');
    path.resize(slash == 0 ? 1 : slash);
  }
  grant.dir.reset(sys::openat2(AT_FDCWD, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, kNoLinks));
  return grant.dir.get();
}

bool Grants::locate(std::string_view path, Right right, Place& out, Refusal& refusal) {
  for (Grant& grant : grants_) {
    const bool covers = grant.tree ? is_within(path, grant.path) : path == grant.path;
    if ((grant.rights & right) == 0 || !covers) {
      continue;
    }
    out.path = path;
    out.dir = open_dir(grant);
    if (out.dir < 0) {
      return refuse(refusal, errno, path);
    }
    const std::size_t skip = grant.tree ? grant.path.size() + 1 : grant.path.rfind('/') + 1;
    out.name = skip < path.size() ? path.substr(skip) : std::string_view(".");
    return true;
  }
  return refuse(refusal, EACCES, path, true);
}

// Only what lies below a grant, or leads to one, may be looked at: anything else would tell whether
// it exists.
bool Grants::is_visible(std::string_view path) const {
  for (const Grant& grant : grants_) {
    if ((grant.tree && is_within(path, grant.path)) || is_within(grant.path, path)) {
      return true;
    }
  }
  return false;
}

bool Grants::resolve_links(std::string_view path, std::string& out, Refusal& refusal) const {
  std::vector<std::string> pending;
  push_components(pending, path);
  out.clear();
  int links = 0;
  while (!pending.empty()) {
    const std::string component = std::move(pending.back());
    pending.pop_back();
    if (component == ".") {
      continue;
    }
    if (component == "..") {
      out.resize(out.empty() ? 0 : out.rfind('/'));
      continue;
    }
    std::string next = out;
    next.append(1, '/').append(component);
    if (!is_visible(next)) {
      std::string whole = next;
      while (!pending.empty()) {
        whole += '/';
        whole += pending.back();
        pending.pop_back();
      }
      return refuse(refusal, EACCES, whole, true);
    }
    int error = 0;
    const std::string target = link_target(next, error);
    if (error != 0 || (!target.empty() && ++links > kMaxLinks) || pending.size() > 4096) {
      return refuse(refusal, error != 0 ? error : ELOOP, next);
    }
    if (target.empty()) {
      out = next;
      continue;
    }
    if (target[0] == '/') {
      out.clear();
    }
    push_components(pending, target);
  }
  return is_plan_path(out) ? true : refuse(refusal, EACCES, out.empty() ? "/" : out, true);
}

int open_at(const Place& place, std::uint64_t flags, std::uint64_t mode) {
  return sys::openat2(place.dir, place.name.c_str(), flags | O_CLOEXEC, kBeneath, mode);
}

} // namespace aaos::file
