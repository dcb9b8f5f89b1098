// The written form of a plan, for the golden test and the fuzzer: what was read can be written back
// and means the same.
#include "plan.h"

#include <cstddef>
#include <span>

namespace aaos {
namespace {

void field(std::string& out, std::string_view bytes) {
  out.append(1, ' ').append(encode_field(bytes));
}
void field(std::string& out, std::uint64_t number) {
  out.append(1, ' ').append(std::to_string(number));
}

template <typename... Fields>
void line(std::string& out, std::string_view verb, const Fields&... fields) {
  out.append(verb);
  (field(out, fields), ...);
  out.push_back('\n');
}

void words(std::string& out, std::uint64_t bits, std::span<const std::string_view> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if ((bits >> i & 1) != 0) {
      field(out, names[i]);
    }
  }
}

void word_line(std::string& out, std::string_view verb, std::uint64_t bits,
               std::span<const std::string_view> names) {
  out.append(verb);
  words(out, bits, names);
  out.push_back('\n');
}

void root_entry(std::string& out, const RootEntry& e) {
  switch (e.type) {
  case EntryType::kBind:
    return line(out, "bind", kMountModes[static_cast<std::size_t>(e.mode)], e.path);
  case EntryType::kProtect:
    return line(out, "protect", e.path);
  case EntryType::kTmpfs:
    return line(out, "tmpfs", e.path, e.size_bytes, e.inodes,
                std::string_view(e.executable ? "exec" : "noexec"));
  case EntryType::kDir:
    return line(out, "dir", e.path);
  case EntryType::kSymlink:
    return line(out, "symlink", e.path, e.text);
  case EntryType::kFile:
    return line(out, "file", e.path, e.text);
  }
}

void landlock(std::string& out, const Landlock& l) {
  line(out, "landlock", std::uint64_t{l.abi});
  word_line(out, "landlock-fs", l.handled_fs, kLandlockFsRights);
  word_line(out, "landlock-net", l.handled_net, kLandlockNetRights);
  word_line(out, "landlock-scopes", l.scopes, kLandlockScopes);
  for (const FsRule& rule : l.fs_rules) {
    out.append("allow-path");
    field(out, rule.path);
    words(out, rule.rights, kLandlockFsRights);
    out.push_back('\n');
  }
  for (const NetRule& rule : l.net_rules) {
    out.append("allow-port");
    field(out, std::uint64_t{rule.port});
    words(out, rule.rights, kLandlockNetRights);
    out.push_back('\n');
  }
}

void seccomp(std::string& out, const Seccomp& s) {
  line(out, "seccomp", kArches[static_cast<std::size_t>(s.arch)], kActions[s.default_action]);
  for (const SyscallRule& rule : s.rules) {
    out.append("syscall");
    field(out, rule.name);
    field(out, std::uint64_t{rule.nr});
    field(out, kActions[rule.action]);
    for (const ArgCheck& check : rule.checks) {
      field(out, std::uint64_t{check.arg});
      field(out, std::uint64_t{check.mask});
      field(out, std::uint64_t{check.value});
    }
    out.push_back('\n');
  }
}

void limits(std::string& out, std::initializer_list<std::optional<std::uint64_t>> all) {
  for (const auto& limit : all) {
    limit ? field(out, *limit) : field(out, std::string_view("-"));
  }
}

void cgroup(std::string& out, const Cgroup& leaf) {
  out.append("cgroup");
  field(out, leaf.parent);
  field(out, leaf.name);
  limits(out, {leaf.memory_max_bytes, leaf.pids_max, leaf.cpu_max_millis, leaf.io_weight});
  if (const auto& group = leaf.group) {
    field(out, group->name);
    limits(out, {group->memory_max_bytes, group->pids_max, group->cpu_weight, group->io_weight});
  }
  out.push_back('\n');
}

} // namespace

std::string write_plan(const Plan& plan) {
  constexpr std::string_view kinds[] = {"files", "program", "web"};
  constexpr std::string_view procs[] = {"pid", "full", "none"};
  std::string out = "aaos-plan 1\n";
  line(out, "kind", kinds[static_cast<std::size_t>(plan.kind)]);
  line(out, "hostname", plan.hostname);
  line(out, "ids", std::uint64_t{plan.uid}, std::uint64_t{plan.gid});
  word_line(out, "namespaces", plan.namespaces, kNamespaces);
  line(out, "root-size", plan.root_size_bytes);
  for (const RootEntry& entry : plan.root) {
    root_entry(out, entry);
  }
  if (plan.dev) {
    line(out, "dev");
  }
  line(out, "proc", procs[static_cast<std::size_t>(plan.proc)]);
  landlock(out, plan.landlock);
  seccomp(out, plan.seccomp);
  for (const Rlimit& limit : plan.rlimits) {
    line(out, "rlimit", kRlimits[limit.which], limit.value);
  }
  if (plan.cgroup) {
    cgroup(out, *plan.cgroup);
  }
  for (const Listener& at : plan.listeners) {
    line(out, "listen", std::string_view(at.tcp ? "tcp" : "udp"),
         std::string_view(at.any_address ? "0.0.0.0" : "127.0.0.1"), std::uint64_t{at.port});
  }
  if (plan.exec_limit) {
    line(out, "exec-limit", std::uint64_t{*plan.exec_limit});
  }
  line(out, "executable", plan.executable);
  for (const std::string& argument : plan.argv) {
    line(out, "arg", argument);
  }
  for (const auto& [name, value] : plan.env) {
    line(out, "env", name, value);
  }
  line(out, "cwd", plan.cwd);
  line(out, "umask", std::uint64_t{plan.umask});
  return out;
}

} // namespace aaos
