// The private root: a read-only tmpfs that holds the plan's entries and nothing else. Everything is
// attached by descriptor: a source is opened without following any link, cloned, given its flags,
// and only then attached, so that there is no moment at which a tree is visible with more rights
// than granted and no name that could be swapped under us.
#pragma once

#include "plan.h"

namespace aaos::mounts {

enum class Verb : std::uint8_t {
  kMakeDir, // in the root's own tmpfs, or in one of the plan's
  kFile,
  kSymlink,
  kBind, // a tree of the host
  kPin,  // a directory onto itself, so that it is a mount point and cannot be renamed
  kProtect,
  kTmpfs,
};

struct Action {
  Verb verb = Verb::kMakeDir;
  std::string path;
  // Where the target must exist already, because it lies in a tree of the host: nothing is ever
  // created there.
  bool inside_bind = false;
  std::uint64_t attributes = 0; // MOUNT_ATTR_*
  std::string source;           // kBind
  std::string text;             // kSymlink, kFile; kTmpfs: size
  std::string more;             // kTmpfs: inodes
};

// The actions in the order in which they must happen, parents first.
struct Prepared {
  std::string root_options;
  std::vector<Action> actions;
  bool proc = false;
  bool proc_pid_only = false;
};

// 0 or errno; `bad_path` then names the entry: EEXIST for a path given twice, EINVAL for a
// protected path outside every writable bind or an entry below a made-up link or file.
int prepare(const Plan& plan, Prepared& out, std::string& bad_path);

// Makes all mounts private, builds the root and enters it; the old one is gone afterwards. 0 or
// errno, `detail` is then the index of the action or -1. Allocates nothing.
int make_private();
int build(const Prepared& prepared, int& root_fd, int& detail);
int mount_proc(const Prepared& prepared, int root_fd);
int enter(int root_fd);

} // namespace aaos::mounts
