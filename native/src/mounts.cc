#include "mounts.h"

#include "sys.h"
#include "unique_fd.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <sys/mount.h>
#include <sys/stat.h>

namespace aaos::mounts {
namespace {

// Where the new root is staged: it always exists, and nothing below it is ever granted.
constexpr const char* kStage = "/proc";
constexpr std::uint64_t kNoLinks = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t kInRoot = RESOLVE_IN_ROOT | kNoLinks;

std::string_view parent_of(std::string_view path) {
  return path.substr(0, path.rfind('/'));
}

std::uint64_t attributes_of(const RootEntry& entry, bool keep_exec) {
  constexpr std::uint64_t always = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  const std::uint64_t noexec = keep_exec ? 0 : MOUNT_ATTR_NOEXEC;
  if (entry.type == EntryType::kTmpfs) {
    return entry.executable ? always : always | noexec;
  }
  switch (entry.mode) {
  case MountMode::kRo:
    return always | noexec | MOUNT_ATTR_RDONLY;
  case MountMode::kExec:
    return always | MOUNT_ATTR_RDONLY;
  case MountMode::kRw:
  case MountMode::kWrite:
    return always | noexec;
  case MountMode::kRwx:
    return always;
  }
  return always | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY;
}

bool is_writable_bind(const RootEntry& entry) {
  return entry.type == EntryType::kBind && entry.mode != MountMode::kRo &&
         entry.mode != MountMode::kExec;
}

// Builds the list of actions; one object for the tables that the rules below need together.
class Builder {
public:
  Builder(const Plan& plan, Prepared& out) : plan_(plan), out_(out) {}

  int build(std::string& bad_path) {
    for (const RootEntry& entry : plan_.root) {
      bad_path = entry.path;
      if (!entries_.emplace(entry.path, &entry).second) {
        return EEXIST;
      }
    }
    // std::map orders "/a" before "/a/b", so what contains comes before what is contained.
    for (const auto& [path, entry] : entries_) {
      bad_path = path;
      if (const int error = add(*entry); error != 0) {
        return error;
      }
    }
    if (plan_.dev) {
      add_dev();
    }
    if (plan_.proc != Plan::Proc::kNone) {
      make_parents("/proc/self");
    }
    return 0;
  }

private:
  // The nearest entry above a path, or null for the root's own tmpfs.
  const RootEntry* container(std::string_view path) const {
    for (path = parent_of(path); !path.empty(); path = parent_of(path)) {
      if (const auto found = entries_.find(path);
          found != entries_.end() && found->second->type != EntryType::kDir) {
        return found->second;
      }
    }
    return nullptr;
  }

  static bool in_host_tree(const RootEntry* container) {
    return container != nullptr &&
           (container->type == EntryType::kBind || container->type == EntryType::kProtect);
  }

  Action& push(Verb verb, std::string_view path) {
    Action& action = out_.actions.emplace_back();
    action.verb = verb;
    action.path = path;
    return action;
  }

  void make_parents(std::string_view path) {
    for (std::size_t at = path.find('/', 1); at != std::string_view::npos;
         at = path.find('/', at + 1)) {
      const std::string directory(path.substr(0, at));
      if (!in_host_tree(container(directory)) && !entries_.contains(directory) &&
          !made_[directory]) {
        made_[directory] = true;
        push(Verb::kMakeDir, directory);
      }
    }
  }

  int add(const RootEntry& entry) {
    const RootEntry* above = container(entry.path);
    if (above != nullptr &&
        (above->type == EntryType::kSymlink || above->type == EntryType::kFile)) {
      return EINVAL;
    }
    make_parents(entry.path);
    if (entry.type == EntryType::kProtect) {
      return (plan_.omit & kOmitProtect) != 0 ? 0 : add_protect(entry);
    }
    if (in_host_tree(above) && entry.type != EntryType::kBind && entry.type != EntryType::kTmpfs) {
      return EINVAL; // would be created on the host
    }
    constexpr Verb verbs[] = {Verb::kBind,    Verb::kProtect, Verb::kTmpfs,
                              Verb::kMakeDir, Verb::kSymlink, Verb::kFile};
    Action& action = push(verbs[static_cast<std::size_t>(entry.type)], entry.path);
    action.inside_bind = in_host_tree(above);
    action.attributes = attributes_of(entry, (plan_.omit & kOmitNoexec) != 0);
    action.source = entry.path;
    action.text = entry.type == EntryType::kTmpfs ? std::to_string(entry.size_bytes) : entry.text;
    action.more = std::to_string(entry.inodes);
    return 0;
  }

  // Every directory between the writable bind and the protected path becomes a mount point first:
  // renaming it is EBUSY then.
  int add_protect(const RootEntry& entry) {
    const RootEntry* above = container(entry.path);
    while (above != nullptr && above->type == EntryType::kProtect) {
      above = container(above->path);
    }
    if (above == nullptr || !is_writable_bind(*above)) {
      return EINVAL;
    }
    for (std::size_t at = entry.path.find('/', above->path.size() + 1); at != std::string::npos;
         at = entry.path.find('/', at + 1)) {
      const std::string directory = entry.path.substr(0, at);
      if (!entries_.contains(directory) && !made_[directory]) {
        made_[directory] = true;
        push(Verb::kPin, directory).inside_bind = true;
      }
    }
    Action& action = push(Verb::kProtect, entry.path);
    action.inside_bind = true;
    action.attributes =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    return 0;
  }

  void add_dev() {
    make_parents("/dev/x");
    for (const char* node :
         {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}) {
      Action& action = push(Verb::kBind, node);
      action.source = node;
      // Read-only is about the node's own attributes; a device is written through it all the same.
      action.attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
    }
    push(Verb::kSymlink, "/dev/fd").text = "/proc/self/fd";
    push(Verb::kSymlink, "/dev/stdin").text = "/proc/self/fd/0";
    push(Verb::kSymlink, "/dev/stdout").text = "/proc/self/fd/1";
    push(Verb::kSymlink, "/dev/stderr").text = "/proc/self/fd/2";
  }

  const Plan& plan_;
  Prepared& out_;
  std::map<std::string, const RootEntry*, std::less<>> entries_;
  std::map<std::string, bool> made_;
};

// From here on: after clone, no allocation.

const char* inside(const std::string& path) {
  return path.c_str() + 1;
}

int open_target(int root, const std::string& path) {
  return sys::openat2(root, inside(path), O_PATH | O_CLOEXEC, kInRoot);
}

// The directory that holds `path`, and its last name. The root itself for a path with one segment.
UniqueFd open_parent(int root, const std::string& path, const char*& name) {
  const std::size_t slash = path.rfind('/');
  name = path.c_str() + slash + 1;
  if (slash == 0) {
    return UniqueFd(fcntl(root, F_DUPFD_CLOEXEC, 0));
  }
  char buffer[4096];
  memcpy(buffer, path.c_str() + 1, slash - 1);
  buffer[slash - 1] = '\0';
  return UniqueFd(sys::openat2(root, buffer, O_PATH | O_DIRECTORY | O_CLOEXEC, kInRoot));
}

int make_dir(int root, const std::string& path) {
  const char* name = nullptr;
  const UniqueFd parent = open_parent(root, path, name);
  if (!parent || (mkdirat(parent.get(), name, 0755) != 0 && errno != EEXIST)) {
    return errno;
  }
  return 0;
}

int make_file(int root, const std::string& path, const std::string& content) {
  const char* name = nullptr;
  const UniqueFd parent = open_parent(root, path, name);
  if (!parent) {
    return errno;
  }
  const UniqueFd fd(
      openat(parent.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444));
  if (!fd) {
    return errno;
  }
  const ssize_t written = write(fd.get(), content.data(), content.size());
  if (written != static_cast<ssize_t>(content.size())) {
    return written < 0 ? errno : ENOSPC;
  }
  return 0;
}

int make_symlink(int root, const std::string& path, const std::string& target) {
  const char* name = nullptr;
  const UniqueFd parent = open_parent(root, path, name);
  return parent && symlinkat(target.c_str(), parent.get(), name) == 0 ? 0 : errno;
}

// Gives a detached tree its flags, all of it, and attaches it.
int attach(int tree, int target, std::uint64_t attributes) {
  const sys::MountAttr attr{attributes, 0, MS_PRIVATE, 0};
  if (attributes != 0 && sys::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, attr) != 0) {
    return errno;
  }
  return sys::move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) ==
                 0
             ? 0
             : errno;
}

int bind_onto(int source, int target, std::uint64_t attributes) {
  const UniqueFd tree(sys::open_tree(
      source, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
  return tree ? attach(tree.get(), target, attributes) : errno;
}

int bind(int root, const Action& action) {
  const UniqueFd source(
      sys::openat2(AT_FDCWD, action.source.c_str(), O_PATH | O_CLOEXEC, kNoLinks));
  struct stat status {};
  if (!source || fstat(source.get(), &status) != 0) {
    return errno;
  }
  if (!action.inside_bind) {
    const int error =
        S_ISDIR(status.st_mode) ? make_dir(root, action.path) : make_file(root, action.path, {});
    if (error != 0) {
      return error;
    }
  }
  const UniqueFd target(open_target(root, action.path));
  return target ? bind_onto(source.get(), target.get(), action.attributes) : errno;
}

int bind_self(int root, const Action& action) {
  const UniqueFd target(open_target(root, action.path));
  return target ? bind_onto(target.get(), target.get(), action.attributes) : errno;
}

int mount_tmpfs(int root, const Action& action) {
  if (!action.inside_bind) {
    if (const int error = make_dir(root, action.path); error != 0) {
      return error;
    }
  }
  const UniqueFd fs(sys::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!fs || sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, "size", action.text.c_str()) != 0 ||
      sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, "nr_inodes", action.more.c_str()) != 0 ||
      sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, "mode", "0700") != 0 ||
      sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) {
    return errno;
  }
  const UniqueFd tree(
      sys::fsmount(fs.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(action.attributes)));
  const UniqueFd target(open_target(root, action.path));
  return tree && target ? attach(tree.get(), target.get(), 0) : errno;
}

int perform(int root, const Action& action) {
  switch (action.verb) {
  case Verb::kMakeDir:
    return make_dir(root, action.path);
  case Verb::kFile:
    return make_file(root, action.path, action.text);
  case Verb::kSymlink:
    return make_symlink(root, action.path, action.text);
  case Verb::kBind:
    return bind(root, action);
  case Verb::kPin:
  case Verb::kProtect:
    return bind_self(root, action);
  case Verb::kTmpfs:
    return mount_tmpfs(root, action);
  }
  return EINVAL;
}

} // namespace

int prepare(const Plan& plan, Prepared& out, std::string& bad_path) {
  out.root_options = "mode=0755,nr_inodes=4096,size=" + std::to_string(plan.root_size_bytes);
  out.proc = plan.proc != Plan::Proc::kNone;
  out.proc_pid_only = plan.proc == Plan::Proc::kPid;
  return Builder(plan, out).build(bad_path);
}

int make_private() {
  return mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? 0 : errno;
}

int build(const Prepared& prepared, int& root_fd, int& detail) {
  detail = -1;
  umask(0);
  if (mount("aaos", kStage, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
            prepared.root_options.c_str()) != 0) {
    return errno;
  }
  UniqueFd root(open(kStage, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) {
    return errno;
  }
  for (const Action& action : prepared.actions) {
    ++detail;
    if (const int error = perform(root.get(), action); error != 0) {
      return error;
    }
  }
  detail = -1;
  root_fd = root.release();
  return 0;
}

int mount_proc(const Prepared& prepared, int root_fd) {
  if (!prepared.proc) {
    return 0;
  }
  const UniqueFd fs(sys::fsopen("proc", FSOPEN_CLOEXEC));
  if (!fs) {
    return errno;
  }
  if (prepared.proc_pid_only &&
      (sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, "subset", "pid") != 0 ||
       sys::fsconfig(fs.get(), FSCONFIG_SET_STRING, "hidepid", "invisible") != 0)) {
    return errno;
  }
  if (sys::fsconfig(fs.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) {
    return errno;
  }
  const UniqueFd tree(
      sys::fsmount(fs.get(), FSMOUNT_CLOEXEC,
                   MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  const UniqueFd target(sys::openat2(root_fd, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC, kInRoot));
  return tree && target ? attach(tree.get(), target.get(), 0) : errno;
}

int enter(int root_fd) {
  const sys::MountAttr read_only{MOUNT_ATTR_RDONLY, 0, 0, 0};
  if (sys::mount_setattr(root_fd, "", AT_EMPTY_PATH, read_only) != 0 || fchdir(root_fd) != 0 ||
      sys::pivot_root(".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) {
    return errno;
  }
  return 0;
}

} // namespace aaos::mounts
