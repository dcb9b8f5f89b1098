#include "file_verbs.h"

#include "path.h"
#include "sys.h"
#include "unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

namespace aaos::file {
namespace {

constexpr std::uint64_t kNoLinks = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr std::size_t kMaxNames = 1'000'000;

void refuse(Reply& reply, std::uint32_t id, Right right, const Refusal& refusal) {
  if (refusal.is_denial) {
    denied(reply, id, right, refusal.path);
  } else {
    failed(reply, id, refusal.error);
  }
}

EntryKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFREG:
    return EntryKind::kFile;
  case S_IFDIR:
    return EntryKind::kDir;
  case S_IFLNK:
    return EntryKind::kSymlink;
  default:
    return EntryKind::kOther;
  }
}

// One request being carried out.
class Call {
public:
  Call(const Request& request, Grants& grants, Reply& reply)
      : request_(request), grants_(grants), reply_(reply) {}

  void read();
  void list();
  void stat();
  void replace();
  void append();
  void make_dir();

private:
  void fail(int error) { failed(reply_, request_.id, error); }
  void done() { reply_.begin(request_.id, Status::kDone); }

  // Finds and opens the request's path. A link on the way is resolved, once more if it was swapped
  // meanwhile. False once the reply says why not.
  bool open(Right right, std::uint64_t flags, std::uint64_t mode, UniqueFd& out);
  // The place of a file to be written: links resolved, the last component included, parents made.
  // False as above.
  bool place_for_write(Place& place);
  bool resolve(Right right, Place& place);
  int make_parents(const Place& place) const;
  int write_all(int fd) const;
  int replace_at(const Place& place);

  const Request& request_;
  Grants& grants_;
  Reply& reply_;
};

bool Call::resolve(Right right, Place& place) {
  Refusal refusal;
  std::string path;
  if (!grants_.resolve_links(request_.path, path, refusal) ||
      !grants_.locate(path, right, place, refusal)) {
    refuse(reply_, request_.id, right, refusal);
    return false;
  }
  return true;
}

bool Call::open(Right right, std::uint64_t flags, std::uint64_t mode, UniqueFd& out) {
  Place place;
  Refusal refusal;
  if (!grants_.locate(request_.path, right, place, refusal)) {
    refuse(reply_, request_.id, right, refusal);
    return false;
  }
  for (int tries = 0;; ++tries) {
    out.reset(open_at(place, flags, mode));
    if (out) {
      return true;
    }
    if (errno != ELOOP || tries == 3) {
      fail(errno);
      return false;
    }
    if (!resolve(right, place)) {
      return false;
    }
  }
}

void Call::read() {
  UniqueFd fd;
  struct stat status {};
  if (!open(kRead, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, fd)) {
    return;
  }
  if (fstat(fd.get(), &status) != 0) {
    return fail(errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  }
  done();
  reply_.u64(static_cast<std::uint64_t>(status.st_size));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  // Files of /proc and the like say 0 and have more; for every other the size bounds what is worth
  // a buffer.
  const std::uint64_t left = size > request_.offset ? size - request_.offset : size == 0 ? 4096 : 0;
  const std::size_t want = std::min<std::uint64_t>(left, request_.max);
  char* buffer = reply_.reserve(want);
  std::size_t got = 0;
  while (got < want) {
    const ssize_t n =
        pread(fd.get(), buffer + got, want - got, static_cast<off_t>(request_.offset + got));
    if (n < 0) {
      return fail(errno);
    }
    if (n == 0) {
      break;
    }
    got += static_cast<std::size_t>(n);
  }
  reply_.shrink(want - got);
}

// All names of a directory; ENOBUFS where there are more than anyone could want.
int read_names(int fd, std::vector<std::string>& names) {
  alignas(8) char buffer[32 * 1024];
  for (;;) {
    const long got = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
    if (got <= 0) {
      return got < 0 ? errno : 0;
    }
    for (long at = 0; at < got;) {
      std::uint16_t length = 0;
      memcpy(&length, buffer + at + 16, sizeof length);
      const char* name = buffer + at + 19;
      at += length;
      if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
        names.emplace_back(name);
      }
    }
    if (names.size() > kMaxNames) {
      return ENOBUFS;
    }
  }
}

void Call::list() {
  UniqueFd fd;
  struct stat status {};
  if (!open(kRead, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, fd)) {
    return;
  }
  if (fstat(fd.get(), &status) != 0) {
    return fail(errno);
  }
  std::vector<std::string> names;
  if (S_ISDIR(status.st_mode)) {
    if (const int error = read_names(fd.get(), names); error != 0) {
      return fail(error);
    }
  }
  const std::size_t count = std::min<std::size_t>(names.size(), request_.max);
  std::partial_sort(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), names.end());
  done();
  reply_.u8(static_cast<std::uint8_t>(kind_of(status.st_mode)));
  reply_.u8(count < names.size() ? 1 : 0);
  reply_.u32(static_cast<std::uint32_t>(count));
  for (std::size_t i = 0; i < count; ++i) {
    struct stat entry {};
    // An entry that went away meanwhile is still listed, of kind "other".
    if (fstatat(fd.get(), names[i].c_str(), &entry, AT_SYMLINK_NOFOLLOW) != 0) {
      entry = {};
    }
    reply_.u8(static_cast<std::uint8_t>(kind_of(entry.st_mode)));
    reply_.u64(static_cast<std::uint64_t>(entry.st_size));
    reply_.u16(static_cast<std::uint16_t>(names[i].size()));
    reply_.bytes(names[i]);
  }
}

void Call::stat() {
  UniqueFd fd;
  struct stat status {};
  if (!open(kRead, O_PATH, 0, fd)) {
    return;
  }
  if (fstat(fd.get(), &status) != 0) {
    return fail(errno);
  }
  done();
  reply_.u8(static_cast<std::uint8_t>(kind_of(status.st_mode)));
  reply_.u64(static_cast<std::uint64_t>(status.st_size));
}

// mkdir -p of everything between the granted directory and the last component.
int Call::make_parents(const Place& place) const {
  for (std::size_t at = place.name.find('/'); at != std::string::npos;
       at = place.name.find('/', at + 1)) {
    const std::string above = place.name.substr(0, at);
    const std::size_t slash = above.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : above.substr(0, slash);
    const std::string base = slash == std::string::npos ? above : above.substr(slash + 1);
    const UniqueFd dir(
        sys::openat2(place.dir, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, kNoLinks));
    if (!dir) {
      return errno;
    }
    if (mkdirat(dir.get(), base.c_str(), 0777) != 0 && errno != EEXIST) {
      return errno;
    }
  }
  return 0;
}

bool Call::place_for_write(Place& place) {
  Refusal refusal;
  if (!grants_.locate(request_.path, kWrite, place, refusal)) {
    refuse(reply_, request_.id, kWrite, refusal);
    return false;
  }
  for (int tries = 0;; ++tries) {
    int error = make_parents(place);
    if (error == 0) {
      const UniqueFd last(open_at(place, O_PATH | O_NOFOLLOW));
      struct stat status {};
      const bool is_link = last && fstat(last.get(), &status) == 0 && S_ISLNK(status.st_mode);
      error = is_link ? ELOOP : 0;
    }
    if (error == 0) {
      return true;
    }
    if (error != ELOOP || tries == 3) {
      fail(error);
      return false;
    }
    if (!resolve(kWrite, place)) {
      return false;
    }
  }
}

int Call::write_all(int fd) const {
  std::string_view rest = request_.content;
  while (!rest.empty()) {
    const ssize_t n = write(fd, rest.data(), rest.size());
    if (n < 0) {
      return errno;
    }
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  return 0;
}

void Call::append() {
  Place place;
  if (!place_for_write(place)) {
    return;
  }
  const UniqueFd fd(open_at(place, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY, 0666));
  struct stat status {};
  if (!fd || fstat(fd.get(), &status) != 0) {
    return fail(errno);
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(EINVAL);
  }
  int error = write_all(fd.get());
  if (error == 0 && fsync(fd.get()) != 0) {
    error = errno;
  }
  if (error != 0) {
    // Half a content is worse than none. If that cannot be taken back either, the first error still
    // says what went wrong.
    const int taken_back = ftruncate(fd.get(), status.st_size);
    return fail(taken_back == 0 ? error : EIO);
  }
  done();
  reply_.u64(request_.content.size());
}

bool temporary_name(char (&out)[40]) {
  std::uint64_t random[2];
  if (getrandom(random, sizeof random, 0) != sizeof random) {
    return false;
  }
  return snprintf(out, sizeof out, ".aaos-%016llx.tmp",
                  static_cast<unsigned long long>(random[0])) > 0;
}

// A temporary file beside the target, synced, renamed over it, and the directory synced: after a
// crash there is the old file or the new one. Keeps the mode of the one it replaces.
int Call::replace_at(const Place& place) {
  const std::string parent(place.parent());
  const std::string base(place.base());
  const UniqueFd dir(
      sys::openat2(place.dir, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, kNoLinks));
  char name[40];
  if (!dir || !temporary_name(name)) {
    return errno;
  }
  struct stat existing {};
  const bool replaces = fstatat(dir.get(), base.c_str(), &existing, AT_SYMLINK_NOFOLLOW) == 0;
  if (replaces && !S_ISREG(existing.st_mode)) {
    return S_ISDIR(existing.st_mode) ? EISDIR : EINVAL;
  }
  const UniqueFd fd(
      sys::openat2(dir.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kNoLinks, 0666));
  if (!fd) {
    return errno;
  }
  int error = write_all(fd.get());
  if (error == 0 && replaces && fchmod(fd.get(), existing.st_mode & 0777) != 0) {
    error = errno;
  }
  if (error == 0 && (fsync(fd.get()) != 0 ||
                     syscall(SYS_renameat2, dir.get(), name, dir.get(), base.c_str(), 0) != 0)) {
    error = errno;
  }
  if (error != 0) {
    unlinkat(dir.get(), name, 0);
    return error;
  }
  // A write-only grant may not open its directory; the file's own sync carries the rename then (it
  // changed the inode).
  const UniqueFd entries(
      sys::openat2(place.dir, parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC, kNoLinks));
  return fsync(entries ? entries.get() : fd.get()) == 0 ? 0 : errno;
}

void Call::replace() {
  Place place;
  if (!place_for_write(place)) {
    return;
  }
  if (place.name == ".") {
    return fail(EISDIR);
  }
  if (const int error = replace_at(place); error != 0) {
    return fail(error);
  }
  done();
  reply_.u64(request_.content.size());
}

void Call::make_dir() {
  Place place;
  if (!place_for_write(place)) {
    return;
  }
  if (place.name != ".") {
    const std::string parent(place.parent());
    const std::string base(place.base());
    const UniqueFd dir(
        sys::openat2(place.dir, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, kNoLinks));
    struct stat status {};
    if (!dir || (mkdirat(dir.get(), base.c_str(), 0777) != 0 &&
                 (errno != EEXIST ||
                  fstatat(dir.get(), base.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0))) {
      return fail(errno);
    }
    if (status.st_mode != 0 && !S_ISDIR(status.st_mode)) {
      return fail(EEXIST);
    }
  }
  done();
}

} // namespace

void perform(const Request& request, Grants& grants, Reply& reply) {
  Call call(request, grants, reply);
  switch (request.verb) {
  case Verb::kRead:
    return call.read();
  case Verb::kList:
    return call.list();
  case Verb::kStat:
    return call.stat();
  case Verb::kReplace:
    return call.replace();
  case Verb::kAppend:
    return call.append();
  case Verb::kMakeDir:
    return call.make_dir();
  }
}

} // namespace aaos::file
