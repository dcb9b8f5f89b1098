// The confinement plan as aaos-spawn carries it out: the mirror of runtime/protocol/confinement.ts,
// read from the lines that runtime/protocol/confinement-wire.ts writes. Parsing is strict: an
// unknown verb, word or number, a line out of its bounds, a path that is not absolute and
// normalised, or a missing part refuses the whole plan.
#pragma once

#include "path.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace aaos {

inline constexpr std::size_t kMaxPlanBytes = std::size_t{160} * 1024;

enum class Kind : std::uint8_t { kFiles, kProgram, kWeb };

// In the order of LANDLOCK_ACCESS_FS_* bits.
inline constexpr std::string_view kLandlockFsRights[] = {
    "execute",   "write_file", "read_file", "read_dir",  "remove_dir",  "remove_file",
    "make_char", "make_dir",   "make_reg",  "make_sock", "make_fifo",   "make_block",
    "make_sym",  "refer",      "truncate",  "ioctl_dev", "resolve_unix"};
inline constexpr std::string_view kLandlockNetRights[] = {"bind_tcp", "connect_tcp"};
inline constexpr std::string_view kLandlockScopes[] = {"abstract_unix_socket", "signal"};

// Bits of Plan::namespaces, in the order of kNamespaces.
inline constexpr std::string_view kNamespaces[] = {"user", "mount",  "pid", "ipc",
                                                   "uts",  "cgroup", "net"};
enum Namespace : std::uint32_t {
  kNsUser = 1u << 0,
  kNsMount = 1u << 1,
  kNsPid = 1u << 2,
  kNsIpc = 1u << 3,
  kNsUts = 1u << 4,
  kNsCgroup = 1u << 5,
  kNsNet = 1u << 6,
};

enum class MountMode : std::uint8_t { kRo, kRw, kExec, kWrite, kRwx };
inline constexpr std::string_view kMountModes[] = {"ro", "rw", "exec", "write", "rwx"};

enum class EntryType : std::uint8_t { kBind, kProtect, kTmpfs, kDir, kSymlink, kFile };

struct RootEntry {
  EntryType type = EntryType::kDir;
  MountMode mode = MountMode::kRo; // kBind
  bool executable = false;         // kTmpfs
  std::uint64_t size_bytes = 0;    // kTmpfs
  std::uint64_t inodes = 0;        // kTmpfs
  std::string path;
  std::string text; // kSymlink: the target; kFile: the content
};

struct FsRule {
  std::string path;
  std::uint64_t rights = 0;
};

struct NetRule {
  std::uint16_t port = 0;
  std::uint64_t rights = 0;
};

struct Landlock {
  std::uint32_t abi = 0;
  std::uint64_t handled_fs = 0;
  std::uint64_t handled_net = 0;
  std::uint64_t scopes = 0;
  std::vector<FsRule> fs_rules;
  std::vector<NetRule> net_rules;
};

enum class Arch : std::uint8_t { kX86_64, kAarch64 };
inline constexpr std::string_view kArches[] = {"x86_64", "aarch64"};

// The words of a seccomp action: allow, kill, then errnos.
inline constexpr std::string_view kActions[] = {
    "allow",  "kill",   "EPERM",        "EACCES",          "ENOSYS",
    "ENOTTY", "EINVAL", "EAFNOSUPPORT", "EPROTONOSUPPORT", "EOPNOTSUPP"};
inline constexpr std::uint8_t kActionAllow = 0;
inline constexpr std::uint8_t kActionKill = 1;

struct ArgCheck {
  std::uint8_t arg = 0;
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
};

struct SyscallRule {
  std::string name;
  std::uint32_t nr = 0;
  std::uint8_t action = 0; // index into kActions
  std::vector<ArgCheck> checks;
};

struct Seccomp {
  Arch arch = Arch::kX86_64;
  std::uint8_t default_action = 0;
  std::vector<SyscallRule> rules;
};

inline constexpr std::string_view kRlimits[] = {"as",      "core",   "cpu",   "data", "fsize",
                                                "memlock", "nofile", "nproc", "stack"};

struct Rlimit {
  std::uint8_t which = 0; // index into kRlimits
  std::uint64_t value = 0;
};

// What all processes of one agent may use together.
struct CgroupGroup {
  std::string name;
  std::optional<std::uint64_t> memory_max_bytes;
  std::optional<std::uint64_t> pids_max;
  std::optional<std::uint64_t> cpu_weight;
  std::optional<std::uint64_t> io_weight;
};

struct Cgroup {
  std::string parent;
  std::optional<CgroupGroup> group;
  std::string name;
  std::optional<std::uint64_t> memory_max_bytes;
  std::optional<std::uint64_t> pids_max;
  std::optional<std::uint64_t> cpu_max_millis;
  std::optional<std::uint64_t> io_weight;
};

struct Listener {
  bool tcp = true;
  bool any_address = false; // 0.0.0.0; else 127.0.0.1
  std::uint16_t port = 0;
};

// Layers that a test build can leave out, to see which of the others still catch an attempt. The
// shipped launcher is compiled without AAOS_ABLATION and does not know the verb `omit`.
inline constexpr std::string_view kLayers[] = {"root",    "landlock", "seccomp", "net",
                                               "rlimits", "noexec",   "protect", "caps"};
enum Layer : std::uint32_t {
  kOmitRoot = 1u << 0,
  kOmitLandlock = 1u << 1,
  kOmitSeccomp = 1u << 2,
  kOmitNet = 1u << 3,
  kOmitRlimits = 1u << 4,
  kOmitNoexec = 1u << 5,
  kOmitProtect = 1u << 6,
  kOmitCaps = 1u << 7,
};

struct Plan {
  Kind kind = Kind::kFiles;
  std::string hostname;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t namespaces = 0;
  std::uint64_t root_size_bytes = 0;
  std::vector<RootEntry> root;
  bool dev = false;
  enum class Proc : std::uint8_t { kPid, kFull, kNone } proc = Proc::kNone;
  Landlock landlock;
  Seccomp seccomp;
  std::vector<Rlimit> rlimits;
  std::optional<Cgroup> cgroup;
  std::vector<Listener> listeners;
  std::optional<std::uint32_t> exec_limit;
  std::string executable;
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;
  std::string cwd;
  std::uint32_t umask = 077;
  std::uint32_t omit = 0; // always 0 in the shipped launcher
  std::string pause_at;   // the name of a step; always empty in the shipped launcher
};

// Where and why a plan was refused; `line` counts from 1, and is 0 for what the plan as a whole
// lacks.
struct PlanError {
  std::size_t line = 0;
  const char* what = "";
};

// Reads a whole plan. On failure `error` says why and `plan` must not be used.
bool parse_plan(std::string_view text, Plan& plan, PlanError& error);

// The same lines again; parse_plan(write_plan(p)) is p. For tests and fuzzing.
std::string write_plan(const Plan& plan);

// `%XX` decoding and encoding of one field.
bool decode_field(std::string_view field, std::string& out);
std::string encode_field(std::string_view bytes);

} // namespace aaos
