#include "observed_call.h"

#include "sys.h"
#include "tracee.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cstring>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace aaos::observe {
namespace {

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxArgs = 64;
constexpr std::size_t kMaxArg = 256;
constexpr std::int8_t kNone = -1;

enum class Shape : std::uint8_t {
  kOpen,    // flags decide
  kOpenHow, // the flags are in a struct open_how
  kCreate,  // creat
  kChange,  // the entry itself: made, removed, renamed, linked, its attributes set
  kMove,    // two entries, both changed
  kLink,    // the first is read, the second made
  kLook,    // metadata only
  kExec,
  kConnect, // sockaddr and length
  kSend,    // the same where an address is given
  kMessage, // a struct msghdr
};

// Which argument holds what; kNone where the call has none of it.
struct Call {
  std::uint32_t nr;
  const char* name;
  Shape shape;
  std::int8_t dir;    // a directory's descriptor, or kNone for the working directory
  std::int8_t path;   // a path, an address, a msghdr
  std::int8_t flags;  // open's flags, AT_* flags, argv of an exec, length of an address
  std::int8_t to_dir; // of a second path
  std::int8_t to_path;
  bool follow; // a link as the last part
};

const Call kCalls[] = {
#ifdef SYS_open
    {SYS_open, "open", Shape::kOpen, kNone, 0, 1, kNone, kNone, true},
    {SYS_creat, "creat", Shape::kCreate, kNone, 0, kNone, kNone, kNone, true},
    {SYS_unlink, "unlink", Shape::kChange, kNone, 0, kNone, kNone, kNone, false},
    {SYS_rmdir, "rmdir", Shape::kChange, kNone, 0, kNone, kNone, kNone, false},
    {SYS_mkdir, "mkdir", Shape::kChange, kNone, 0, kNone, kNone, kNone, false},
    {SYS_mknod, "mknod", Shape::kChange, kNone, 0, kNone, kNone, kNone, false},
    {SYS_rename, "rename", Shape::kMove, kNone, 0, kNone, kNone, 1, false},
    {SYS_link, "link", Shape::kLink, kNone, 0, kNone, kNone, 1, false},
    {SYS_symlink, "symlink", Shape::kChange, kNone, 1, kNone, kNone, kNone, false},
    {SYS_chmod, "chmod", Shape::kChange, kNone, 0, kNone, kNone, kNone, true},
    {SYS_chown, "chown", Shape::kChange, kNone, 0, kNone, kNone, kNone, true},
    {SYS_lchown, "lchown", Shape::kChange, kNone, 0, kNone, kNone, kNone, false},
    {SYS_utimes, "utimes", Shape::kChange, kNone, 0, kNone, kNone, kNone, true},
    {SYS_stat, "stat", Shape::kLook, kNone, 0, kNone, kNone, kNone, true},
    {SYS_lstat, "lstat", Shape::kLook, kNone, 0, kNone, kNone, kNone, false},
    {SYS_access, "access", Shape::kLook, kNone, 0, kNone, kNone, kNone, true},
    {SYS_readlink, "readlink", Shape::kLook, kNone, 0, kNone, kNone, kNone, false},
#endif
#ifdef SYS_renameat
    {SYS_renameat, "renameat", Shape::kMove, 0, 1, kNone, 2, 3, false},
#endif
    {SYS_openat, "openat", Shape::kOpen, 0, 1, 2, kNone, kNone, true},
    {SYS_openat2, "openat2", Shape::kOpenHow, 0, 1, 2, kNone, kNone, true},
    {SYS_unlinkat, "unlinkat", Shape::kChange, 0, 1, kNone, kNone, kNone, false},
    {SYS_mkdirat, "mkdirat", Shape::kChange, 0, 1, kNone, kNone, kNone, false},
    {SYS_mknodat, "mknodat", Shape::kChange, 0, 1, kNone, kNone, kNone, false},
    {SYS_renameat2, "renameat2", Shape::kMove, 0, 1, kNone, 2, 3, false},
    {SYS_linkat, "linkat", Shape::kLink, 0, 1, kNone, 2, 3, false},
    {SYS_symlinkat, "symlinkat", Shape::kChange, 1, 2, kNone, kNone, kNone, false},
    {SYS_truncate, "truncate", Shape::kChange, kNone, 0, kNone, kNone, kNone, true},
    {SYS_fchmodat, "fchmodat", Shape::kChange, 0, 1, kNone, kNone, kNone, true},
    {SYS_fchownat, "fchownat", Shape::kChange, 0, 1, kNone, kNone, kNone, true},
    {SYS_utimensat, "utimensat", Shape::kChange, 0, 1, kNone, kNone, kNone, true},
#ifdef SYS_newfstatat
    {SYS_newfstatat, "newfstatat", Shape::kLook, 0, 1, 3, kNone, kNone, true},
#endif
    {SYS_statx, "statx", Shape::kLook, 0, 1, 2, kNone, kNone, true},
    {SYS_faccessat, "faccessat", Shape::kLook, 0, 1, kNone, kNone, kNone, true},
    {SYS_readlinkat, "readlinkat", Shape::kLook, 0, 1, kNone, kNone, kNone, false},
    {SYS_chdir, "chdir", Shape::kLook, kNone, 0, kNone, kNone, kNone, true},
    {SYS_execve, "execve", Shape::kExec, kNone, 0, 1, kNone, kNone, true},
    {SYS_execveat, "execveat", Shape::kExec, 0, 1, 2, kNone, kNone, true},
    {SYS_connect, "connect", Shape::kConnect, kNone, 1, 2, kNone, kNone, true},
    {SYS_sendto, "sendto", Shape::kSend, kNone, 4, 5, kNone, kNone, true},
    {SYS_sendmsg, "sendmsg", Shape::kMessage, kNone, 1, kNone, kNone, kNone, true},
    {SYS_sendmmsg, "sendmmsg", Shape::kMessage, kNone, 1, kNone, kNone, kNone, true},
};

class Reader {
public:
  Reader(const seccomp_notif& question, const Call& call)
      : data_(question.data), call_(call), tracee_(question.pid) {}

  std::vector<Observation> read() {
    switch (call_.shape) {
    case Shape::kOpen:
      open_with(argument(call_.flags));
      break;
    case Shape::kOpenHow: {
      const auto flags = tracee_.word(argument(call_.flags));
      flags ? open_with(*flags) : unreadable();
      break;
    }
    case Shape::kCreate:
      open_with(O_WRONLY | O_CREAT | O_TRUNC);
      break;
    case Shape::kChange:
      path(Op::kWrite, call_.dir, call_.path, call_.follow);
      break;
    case Shape::kMove:
      path(Op::kWrite, call_.dir, call_.path, false);
      path(Op::kWrite, call_.to_dir, call_.to_path, false);
      break;
    case Shape::kLink:
      path(Op::kRead, call_.dir, call_.path, false);
      path(Op::kWrite, call_.to_dir, call_.to_path, false);
      break;
    case Shape::kLook:
      look();
      break;
    case Shape::kExec:
      exec();
      break;
    case Shape::kConnect:
    case Shape::kSend:
      address(argument(call_.path), argument(call_.flags));
      break;
    case Shape::kMessage:
      message();
      break;
    }
    return std::move(seen_);
  }

private:
  std::uint64_t argument(int index) const { return data_.args[index]; }

  Observation start(Op op) const {
    Observation seen;
    seen.op = op;
    seen.call = call_.name;
    return seen;
  }

  void unreadable() { seen_.push_back(start(Op::kUnreadable)); }

  // False where there is nothing to see or it could not be read, which is said.
  bool path(Op op, int dir, int index, bool follow) {
    const auto text = tracee_.text(argument(index), kMaxPath);
    if (!text) {
      unreadable();
      return false;
    }
    if (text->empty()) {
      return false; // AT_EMPTY_PATH: about a descriptor that was seen when it was opened
    }
    const int from = dir == kNone ? AT_FDCWD : static_cast<int>(argument(dir));
    const auto place = tracee_.resolve(from, *text, follow);
    if (!place) {
      unreadable();
      return false;
    }
    Observation seen = start(op);
    seen.path = place->path;
    seen.asked = place->asked;
    seen.kind = place->kind;
    seen_.push_back(std::move(seen));
    return true;
  }

  void open_with(std::uint64_t flags) {
    const bool follow = (flags & O_NOFOLLOW) == 0;
    if ((flags & O_PATH) != 0) {
      path(Op::kLook, call_.dir, call_.path, follow);
      return;
    }
    const std::uint64_t mode = flags & O_ACCMODE;
    if (mode != O_WRONLY && !path(Op::kRead, call_.dir, call_.path, follow)) {
      return;
    }
    if (mode != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0) {
      path(Op::kWrite, call_.dir, call_.path, follow);
    }
  }

  void look() {
    const bool follow = call_.follow && (call_.flags == kNone ||
                                         (argument(call_.flags) & AT_SYMLINK_NOFOLLOW) == 0);
    if (argument(call_.path) != 0) {
      path(Op::kLook, call_.dir, call_.path, follow);
    }
  }

  void exec() {
    if (!path(Op::kExec, call_.dir, call_.path, true)) {
      return;
    }
    std::uint64_t at = argument(call_.flags);
    for (std::size_t i = 0; i < kMaxArgs; ++i, at += sizeof(std::uint64_t)) {
      const auto pointer = tracee_.word(at);
      if (!pointer || *pointer == 0) {
        return;
      }
      // An argument that is cut is still worth its beginning.
      const std::string raw = tracee_.bytes(*pointer, kMaxArg);
      seen_.back().argv.push_back(raw.substr(0, raw.find('\0')));
    }
  }

  void message() {
    const auto name = tracee_.word(argument(call_.path));
    const auto size = tracee_.word(argument(call_.path) + sizeof(std::uint64_t));
    if (name && size) {
      address(*name, *size & 0xffffffffU);
    }
  }

  void address(std::uint64_t at, std::uint64_t size) {
    if (at == 0 || size < sizeof(sa_family_t)) {
      return;
    }
    const std::string raw = tracee_.bytes(at, std::min<std::uint64_t>(size, sizeof(sockaddr_un)));
    sa_family_t family = AF_UNSPEC;
    memcpy(&family, raw.data(), std::min(raw.size(), sizeof family));
    if (family == AF_INET && raw.size() >= sizeof(sockaddr_in)) {
      sockaddr_in to{};
      memcpy(&to, raw.data(), sizeof to);
      connection(AF_INET, &to.sin_addr, to.sin_port);
    } else if (family == AF_INET6 && raw.size() >= offsetof(sockaddr_in6, sin6_scope_id)) {
      sockaddr_in6 to{};
      memcpy(&to, raw.data(), std::min(raw.size(), sizeof to));
      connection(AF_INET6, &to.sin6_addr, to.sin6_port);
    } else if (family == AF_UNIX && raw.size() > sizeof family) {
      unix_socket(raw.substr(sizeof family));
    }
  }

  void connection(int family, const void* address, in_port_t port) {
    char text[INET6_ADDRSTRLEN] = {};
    Observation seen = start(Op::kConnect);
    const int type = tracee_.socket_type(static_cast<int>(argument(0)));
    inet_ntop(family, address, text, sizeof text);
    seen.host = text;
    seen.port = ntohs(port);
    seen.protocol = type == SOCK_STREAM ? "tcp" : type == SOCK_DGRAM ? "udp" : "unknown";
    seen_.push_back(std::move(seen));
  }

  void unix_socket(const std::string& name) {
    Observation seen = start(Op::kConnect);
    seen.protocol = "unix";
    // An abstract name begins with a NUL.
    seen.path = name.front() == '\0' ? "@" + name.substr(1) : name.substr(0, name.find('\0'));
    if (seen.path.front() != '@') {
      if (const auto place = tracee_.resolve(AT_FDCWD, seen.path, true)) {
        seen.path = place->path;
        seen.kind = place->kind;
      }
    }
    seen_.push_back(std::move(seen));
  }

  const seccomp_data& data_;
  const Call& call_;
  const Tracee tracee_;
  std::vector<Observation> seen_;
};

// The length of the UTF-8 sequence at the beginning, or 0 where there is none.
std::size_t sequence(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  const std::size_t size = lead < 0x80   ? 1
                           : lead < 0xc2 ? 0
                           : lead < 0xe0 ? 2
                           : lead < 0xf0 ? 3
                           : lead < 0xf5 ? 4
                                         : 0;
  if (size == 0 || size > text.size()) {
    return 0;
  }
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool beyond = (lead == 0xed && byte(1) > 0x9f) || (lead == 0xf4 && byte(1) > 0x8f);
  return overlong || beyond ? 0 : size;
}

void quote(std::string& out, std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text.front());
    std::size_t size = sequence(text);
    if (lead < 0x20 || lead == 0x7f) {
      out.append("\\u00").append(1, kHex[lead >> 4U]).append(1, kHex[lead & 0xfU]);
    } else if (size == 0) {
      out += "\xef\xbf\xbd";
      size = 1;
    } else {
      if (lead == '"' || lead == '\\') {
        out += '\\';
      }
      out.append(text.substr(0, size));
    }
    text.remove_prefix(size);
  }
  out += '"';
}

void field(std::string& out, const char* name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  quote(out, value);
}

} // namespace

const std::vector<std::uint32_t>& observed_numbers() {
  static const std::vector<std::uint32_t> numbers = [] {
    std::vector<std::uint32_t> all;
    for (const Call& call : kCalls) {
      all.push_back(call.nr);
    }
    std::sort(all.begin(), all.end());
    return all;
  }();
  return numbers;
}

std::vector<Observation> read_call(const seccomp_notif& question) {
  for (const Call& call : kCalls) {
    if (call.nr == static_cast<std::uint32_t>(question.data.nr)) {
      return Reader(question, call).read();
    }
  }
  return {};
}

std::string to_json(const Observation& seen, std::uint32_t pid) {
  constexpr const char* kOps[] = {"read", "write", "look", "exec", "connect", "unreadable"};
  std::string out = "{\"op\":\"";
  out.append(kOps[static_cast<std::size_t>(seen.op)]).append("\"");
  field(out, "call", seen.call);
  out.append(",\"pid\":").append(std::to_string(pid));
  if (seen.op == Op::kConnect) {
    field(out, "protocol", seen.protocol);
  }
  if (!seen.host.empty()) {
    field(out, "host", seen.host);
    out.append(",\"port\":").append(std::to_string(seen.port));
  }
  if (!seen.path.empty()) {
    field(out, "path", seen.path);
    field(out, "kind", seen.kind);
  }
  if (!seen.asked.empty() && seen.asked != seen.path) {
    field(out, "asked", seen.asked);
  }
  if (seen.op == Op::kExec) {
    out += ",\"argv\":[";
    for (std::size_t i = 0; i < seen.argv.size(); ++i) {
      out += i == 0 ? "" : ",";
      quote(out, seen.argv[i]);
    }
    out += ']';
  }
  return out + "}";
}

} // namespace aaos::observe
