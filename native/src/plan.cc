#include "plan.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <span>

namespace aaos {
namespace {

constexpr std::size_t kMaxFields = 64;
// Of a cgroup's leaf, and of the group that it may lie in.
constexpr std::size_t kCgroupFields = 6;
constexpr std::size_t kGroupFields = 5;

using Fields = std::vector<std::string>;

bool parse_number(std::string_view text, std::uint64_t max, std::uint64_t& out) {
  if (text.empty() || text.size() > 20 || (text.size() > 1 && text[0] == '0')) {
    return false;
  }
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, out);
  return error == std::errc() && at == end && out <= max;
}

template <typename T> bool number_field(std::string_view text, std::uint64_t max, T& out) {
  std::uint64_t value = 0;
  if (!parse_number(text, max, value)) {
    return false;
  }
  out = static_cast<T>(value);
  return true;
}

// The word's place in the table, which is its value on both sides.
template <typename T>
bool word_index(std::span<const std::string_view> words, std::string_view word, T& out) {
  const auto found = std::find(words.begin(), words.end(), word);
  if (found == words.end()) {
    return false;
  }
  out = static_cast<T>(found - words.begin());
  return true;
}

// A set of distinct words as bits.
template <typename T>
bool word_bits(std::span<const std::string_view> words, std::span<const std::string> given,
               T& out) {
  out = 0;
  for (const std::string& word : given) {
    unsigned index = 0;
    if (!word_index(words, word, index) || (out & (T{1} << index)) != 0) {
      return false;
    }
    out |= T{1} << index;
  }
  return true;
}

bool all_of_class(std::string_view text, std::size_t max, bool (*allowed)(char)) {
  return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), allowed);
}

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c);
}
bool is_host_char(char c) {
  return is_lower(c) || is_digit(c) || c == '-';
}
bool is_syscall_char(char c) {
  return is_lower(c) || is_digit(c) || c == '_';
}
bool is_leaf_char(char c) {
  return is_alnum(c) || c == '_' || c == '-';
}

bool is_env_name(std::string_view name) {
  return all_of_class(name, 256, [](char c) { return is_alnum(c) || c == '_'; }) &&
         !is_digit(name[0]);
}

bool is_path_or_root(std::string_view path) {
  return path == "/" || is_plan_path(path);
}

// One reader a verb. A reader gets the fields after the verb and returns whether they were good.
class Reader {
public:
  explicit Reader(Plan& plan) : plan_(plan) {}

  bool read(std::string_view verb, Fields& fields, PlanError& error);
  bool complete(PlanError& error) const;

private:
  enum Single : std::uint32_t {
    kKind,
    kHostname,
    kIds,
    kNamespacesVerb,
    kRootSize,
    kDev,
    kProc,
    kLandlock,
    kLandlockFs,
    kLandlockNet,
    kLandlockScopesVerb,
    kSeccomp,
    kCgroup,
    kExecLimit,
    kExecutable,
    kCwd,
    kUmask,
    kOmit,
    kPause,
  };
  using Method = bool (Reader::*)(Fields&);
  struct Verb {
    std::string_view name;
    Method method;
    std::size_t min_fields;
    std::size_t max_fields;
    int single; // index of Single, or -1 where the verb may be repeated
  };
  static const Verb kVerbs[];

  bool kind(Fields& f) {
    constexpr std::string_view kinds[] = {"files", "program", "web"};
    return word_index(kinds, f[0], plan_.kind);
  }
  bool hostname(Fields& f) {
    plan_.hostname = f[0];
    return all_of_class(f[0], 60, is_host_char);
  }
  bool ids(Fields& f) {
    return number_field(f[0], 65534, plan_.uid) && number_field(f[1], 65534, plan_.gid);
  }
  bool namespaces(Fields& f) { return word_bits(kNamespaces, f, plan_.namespaces); }
  bool root_size(Fields& f) {
    return number_field(f[0], std::uint64_t{1} << 40, plan_.root_size_bytes);
  }
  bool entry(RootEntry entry) {
    plan_.root.push_back(std::move(entry));
    return plan_.root.size() <= 1000 && is_plan_path(plan_.root.back().path);
  }
  bool bind(Fields& f) {
    RootEntry e;
    e.type = EntryType::kBind;
    e.path = std::move(f[1]);
    return word_index(kMountModes, f[0], e.mode) && entry(std::move(e));
  }
  bool protect(Fields& f) {
    RootEntry e;
    e.type = EntryType::kProtect;
    e.path = std::move(f[0]);
    return entry(std::move(e));
  }
  bool tmpfs(Fields& f) {
    RootEntry e;
    e.type = EntryType::kTmpfs;
    e.path = std::move(f[0]);
    e.executable = f[3] == "exec";
    return number_field(f[1], std::uint64_t{1} << 40, e.size_bytes) && e.size_bytes > 0 &&
           number_field(f[2], std::uint64_t{1} << 32, e.inodes) && e.inodes > 0 &&
           (e.executable || f[3] == "noexec") && entry(std::move(e));
  }
  bool dir(Fields& f) {
    RootEntry e;
    e.path = std::move(f[0]);
    return entry(std::move(e));
  }
  bool symlink(Fields& f) {
    RootEntry e;
    e.type = EntryType::kSymlink;
    e.path = std::move(f[0]);
    e.text = std::move(f[1]);
    return !e.text.empty() && e.text.size() <= kMaxPathBytes && entry(std::move(e));
  }
  bool file(Fields& f) {
    RootEntry e;
    e.type = EntryType::kFile;
    e.path = std::move(f[0]);
    e.text = std::move(f[1]);
    return e.text.size() <= 65536 && entry(std::move(e));
  }
  bool dev(Fields& f) {
    plan_.dev = true;
    return f.empty();
  }
  bool proc(Fields& f) {
    constexpr std::string_view kinds[] = {"pid", "full", "none"};
    return word_index(kinds, f[0], plan_.proc);
  }
  bool landlock(Fields& f) {
    return number_field(f[0], 64, plan_.landlock.abi) && plan_.landlock.abi > 0;
  }
  bool landlock_fs(Fields& f) { return word_bits(kLandlockFsRights, f, plan_.landlock.handled_fs); }
  bool landlock_net(Fields& f) {
    return word_bits(kLandlockNetRights, f, plan_.landlock.handled_net);
  }
  bool landlock_scopes(Fields& f) { return word_bits(kLandlockScopes, f, plan_.landlock.scopes); }
  bool allow_path(Fields& f) {
    FsRule rule;
    rule.path = f[0];
    const bool good = is_path_or_root(rule.path) &&
                      word_bits(kLandlockFsRights, std::span(f).subspan(1), rule.rights);
    plan_.landlock.fs_rules.push_back(std::move(rule));
    return good && plan_.landlock.fs_rules.size() <= 2000;
  }
  bool allow_port(Fields& f) {
    NetRule rule;
    const bool good = number_field(f[0], 65535, rule.port) &&
                      word_bits(kLandlockNetRights, std::span(f).subspan(1), rule.rights);
    plan_.landlock.net_rules.push_back(rule);
    return good && plan_.landlock.net_rules.size() <= 64;
  }
  bool seccomp(Fields& f) {
    return word_index(kArches, f[0], plan_.seccomp.arch) &&
           word_index(kActions, f[1], plan_.seccomp.default_action) &&
           plan_.seccomp.default_action != kActionAllow;
  }
  bool syscall(Fields& f) {
    SyscallRule rule;
    rule.name = f[0];
    if (!all_of_class(rule.name, 40, is_syscall_char) || !number_field(f[1], 4095, rule.nr) ||
        !word_index(kActions, f[2], rule.action) || (f.size() - 3) % 3 != 0) {
      return false;
    }
    for (std::size_t i = 3; i < f.size(); i += 3) {
      ArgCheck check;
      if (!number_field(f[i], 5, check.arg) || !number_field(f[i + 1], UINT32_MAX, check.mask) ||
          !number_field(f[i + 2], UINT32_MAX, check.value)) {
        return false;
      }
      rule.checks.push_back(check);
    }
    plan_.seccomp.rules.push_back(std::move(rule));
    return plan_.seccomp.rules.size() <= 600;
  }
  bool rlimit(Fields& f) {
    Rlimit limit;
    const bool good =
        word_index(kRlimits, f[0], limit.which) && number_field(f[1], INT64_MAX, limit.value);
    for (const Rlimit& earlier : plan_.rlimits) {
      if (earlier.which == limit.which) {
        return false;
      }
    }
    plan_.rlimits.push_back(limit);
    return good;
  }
  static bool optional_limit(std::string_view text, std::optional<std::uint64_t>& out) {
    if (text == "-") {
      return true;
    }
    std::uint64_t value = 0;
    if (!parse_number(text, std::uint64_t{1} << 60, value) || value == 0) {
      return false;
    }
    out = value;
    return true;
  }
  bool cgroup(Fields& f) {
    Cgroup& group = plan_.cgroup.emplace();
    group.parent = f[0];
    group.name = f[1];
    return is_plan_path(group.parent) && all_of_class(group.name, 64, is_leaf_char) &&
        optional_limit(f[2], group.memory_max_bytes) && optional_limit(f[3], group.pids_max) &&
        optional_limit(f[4], group.cpu_max_millis) && optional_limit(f[5], group.io_weight) &&
        (f.size() == kCgroupFields || cgroup_group(f, group.group.emplace()));
  }
  static bool cgroup_group(Fields& f, CgroupGroup& group) {
    if (f.size() != kCgroupFields + kGroupFields) {
      return false;
    }
    group.name = f[6];
    return all_of_class(group.name, 64, is_leaf_char) &&
           optional_limit(f[7], group.memory_max_bytes) && optional_limit(f[8], group.pids_max) &&
           optional_limit(f[9], group.cpu_weight) && optional_limit(f[10], group.io_weight);
  }
  bool listen(Fields& f) {
    Listener at;
    at.tcp = f[0] == "tcp";
    at.any_address = f[1] == "0.0.0.0";
    const bool good = (at.tcp || f[0] == "udp") && (at.any_address || f[1] == "127.0.0.1") &&
                      number_field(f[2], 65535, at.port) && at.port > 0;
    plan_.listeners.push_back(at);
    return good && plan_.listeners.size() <= 8;
  }
  bool exec_limit(Fields& f) {
    std::uint32_t limit = 0;
    const bool good = number_field(f[0], 1000000, limit) && limit > 0;
    plan_.exec_limit = limit;
    return good;
  }
  bool executable(Fields& f) {
    plan_.executable = f[0];
    return is_plan_path(f[0]);
  }
  bool arg(Fields& f) {
    plan_.argv.push_back(std::move(f[0]));
    return plan_.argv.size() <= 4096;
  }
  bool env(Fields& f) {
    plan_.env.emplace_back(std::move(f[0]), std::move(f[1]));
    return plan_.env.size() <= 256 && is_env_name(plan_.env.back().first);
  }
  bool cwd(Fields& f) {
    plan_.cwd = f[0];
    return is_path_or_root(f[0]);
  }
  bool umask(Fields& f) { return number_field(f[0], 0777, plan_.umask); }
#ifdef AAOS_ABLATION
  bool omit(Fields& f) { return word_bits(kLayers, f, plan_.omit); }
  bool pause(Fields& f) {
    plan_.pause_at = f[0];
    return true;
  }
#endif

  Plan& plan_;
  std::uint32_t seen_ = 0;
};

const Reader::Verb Reader::kVerbs[] = {
    {"kind", &Reader::kind, 1, 1, kKind},
    {"hostname", &Reader::hostname, 1, 1, kHostname},
    {"ids", &Reader::ids, 2, 2, kIds},
    {"namespaces", &Reader::namespaces, 0, 7, kNamespacesVerb},
    {"root-size", &Reader::root_size, 1, 1, kRootSize},
    {"bind", &Reader::bind, 2, 2, -1},
    {"protect", &Reader::protect, 1, 1, -1},
    {"tmpfs", &Reader::tmpfs, 4, 4, -1},
    {"dir", &Reader::dir, 1, 1, -1},
    {"symlink", &Reader::symlink, 2, 2, -1},
    {"file", &Reader::file, 2, 2, -1},
    {"dev", &Reader::dev, 0, 0, kDev},
    {"proc", &Reader::proc, 1, 1, kProc},
    {"landlock", &Reader::landlock, 1, 1, kLandlock},
    {"landlock-fs", &Reader::landlock_fs, 0, 17, kLandlockFs},
    {"landlock-net", &Reader::landlock_net, 0, 2, kLandlockNet},
    {"landlock-scopes", &Reader::landlock_scopes, 0, 2, kLandlockScopesVerb},
    {"allow-path", &Reader::allow_path, 2, 18, -1},
    {"allow-port", &Reader::allow_port, 2, 3, -1},
    {"seccomp", &Reader::seccomp, 2, 2, kSeccomp},
    {"syscall", &Reader::syscall, 3, 21, -1},
    {"rlimit", &Reader::rlimit, 2, 2, -1},
    {"cgroup", &Reader::cgroup, kCgroupFields, kCgroupFields + kGroupFields, kCgroup},
    {"listen", &Reader::listen, 3, 3, -1},
    {"exec-limit", &Reader::exec_limit, 1, 1, kExecLimit},
    {"executable", &Reader::executable, 1, 1, kExecutable},
    {"arg", &Reader::arg, 1, 1, -1},
    {"env", &Reader::env, 2, 2, -1},
    {"cwd", &Reader::cwd, 1, 1, kCwd},
    {"umask", &Reader::umask, 1, 1, kUmask},
#ifdef AAOS_ABLATION
    {"omit", &Reader::omit, 1, 8, kOmit},
    {"pause", &Reader::pause, 1, 1, kPause},
#endif
};

bool Reader::read(std::string_view verb, Fields& fields, PlanError& error) {
  for (const Verb& known : kVerbs) {
    if (known.name != verb) {
      continue;
    }
    if (fields.size() < known.min_fields || fields.size() > known.max_fields) {
      error.what = "wrong number of fields";
      return false;
    }
    if (known.single >= 0) {
      const std::uint32_t bit = 1u << static_cast<unsigned>(known.single);
      if ((seen_ & bit) != 0) {
        error.what = "given twice";
        return false;
      }
      seen_ |= bit;
    }
    if (!(this->*known.method)(fields)) {
      error.what = "value out of bounds";
      return false;
    }
    return true;
  }
  error.what = "unknown verb";
  return false;
}

// What no plan may lack. A process with its own user namespace and no others would be no sandbox,
// so all are required; only the file worker, which has no socket call, may share the (then useless)
// network namespace.
bool Reader::complete(PlanError& error) const {
  constexpr std::uint32_t optional =
      1u << kDev | 1u << kCgroup | 1u << kExecLimit | 1u << kOmit | 1u << kPause;
  constexpr std::uint32_t all = (1u << (kPause + 1)) - 1;
  constexpr std::uint32_t all_namespaces = (1u << std::size(kNamespaces)) - 1;
#ifdef AAOS_ABLATION
  constexpr std::uint32_t can_omit = kNsPid | kNsIpc | kNsUts | kNsCgroup;
#else
  constexpr std::uint32_t can_omit = 0;
#endif
  const std::uint32_t needed =
      (plan_.kind == Kind::kFiles ? all_namespaces & ~kNsNet : all_namespaces) & ~can_omit;
  error.line = 0;
  if ((~seen_ & (all & ~optional)) != 0) {
    error.what = "a required line is missing";
  } else if (plan_.argv.empty() || plan_.seccomp.rules.empty()) {
    error.what = "no argv, or no system call allowed";
  } else if ((plan_.namespaces & needed) != needed) {
    error.what = "a namespace is missing";
  } else if (!plan_.listeners.empty() && (plan_.namespaces & kNsNet) == 0) {
    error.what = "listeners need their own network namespace";
  } else if (plan_.root_size_bytes == 0) {
    error.what = "the root has no size";
  } else {
    return true;
  }
  return false;
}

// Splits on single spaces and decodes. At most kMaxFields.
bool split_line(std::string_view line, std::string_view& verb, Fields& fields) {
  fields.clear();
  std::size_t at = line.find(' ');
  verb = line.substr(0, at);
  while (at != std::string_view::npos) {
    const std::size_t next = line.find(' ', at + 1);
    const std::size_t length = next == std::string_view::npos ? next : next - at - 1;
    if (fields.size() == kMaxFields ||
        !decode_field(line.substr(at + 1, length), fields.emplace_back())) {
      return false;
    }
    at = next;
  }
  return true;
}

int hex_value(char c) {
  if (is_digit(c)) {
    return c - '0';
  }
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

bool decode_field(std::string_view field, std::string& out) {
  out.clear();
  out.reserve(field.size());
  for (std::size_t i = 0; i < field.size(); ++i) {
    const char c = field[i];
    if (c <= ' ' || c > '~') {
      return false;
    }
    if (c != '%') {
      out.push_back(c);
      continue;
    }
    if (field.size() - i < 3) {
      return false;
    }
    const int high = hex_value(field[i + 1]);
    const int low = hex_value(field[i + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) {
      return false; // %00 would cut a path or an argument short
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return true;
}

std::string encode_field(std::string_view bytes) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size());
  for (const char c : bytes) {
    if (c > ' ' && c < 0x7f && c != '%') {
      out.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.push_back('%');
      out.push_back(digits[byte >> 4]);
      out.push_back(digits[byte & 15]);
    }
  }
  return out;
}

bool parse_plan(std::string_view text, Plan& plan, PlanError& error) {
  constexpr std::string_view header = "aaos-plan 1\n";
  error = {};
  if (text.size() > kMaxPlanBytes || !text.starts_with(header) || !text.ends_with('\n')) {
    error.what = "not a plan of this format";
    return false;
  }
  Reader reader(plan);
  Fields fields;
  std::size_t line_number = 1;
  text.remove_prefix(header.size());
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view verb;
    error.line = ++line_number;
    if (!split_line(text.substr(0, end), verb, fields)) {
      error.what = "not a line of encoded fields";
      return false;
    }
    if (!reader.read(verb, fields, error)) {
      return false;
    }
    text.remove_prefix(end + 1);
  }
  return reader.complete(error);
}

} // namespace aaos
