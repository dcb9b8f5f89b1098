// What the file worker was granted, and the only way to open anything: beneath a granted directory,
// without following a link in the kernel. A link is followed here, one at a time, and only to where
// a grant with the same right reaches.
#pragma once

#include "file_wire.h"
#include "unique_fd.h"

#include <string>
#include <string_view>
#include <vector>

namespace aaos::file {

// Where a path is opened: a name relative to a granted directory.
struct Place {
  int dir = -1;
  std::string name; // "." for the granted directory itself
  std::string path; // the whole, for messages
  std::string_view parent() const;
  std::string_view base() const;
};

// What stopped a lookup: errno, or the right that is missing and the path that it is missing for.
struct Refusal {
  int error = 0;
  bool is_denial = false;
  std::string path;
};

class Grants {
public:
  // `SPEC` is rights (r, w or b for both), shape (* for a tree, = for exactly that path), path:
  // "r*/data". False if it is not.
  bool add(std::string_view spec);

  // The place of a path under a grant with this right; no link is followed yet.
  bool locate(std::string_view path, Right right, Place& out, Refusal& refusal);

  // The same path with every link in it resolved, each step below some grant. For when an open said
  // ELOOP.
  bool resolve_links(std::string_view path, std::string& out, Refusal& refusal) const;

private:
  struct Grant {
    std::uint8_t rights = 0;
    bool tree = false;
    std::string path;
    UniqueFd dir; // the tree's directory, or the exact path's parent
  };
  bool is_visible(std::string_view path) const;
  static int open_dir(Grant& grant);
  std::vector<Grant> grants_;
};

// openat2 beneath a place's directory, following no link. -1 with errno.
int open_at(const Place& place, std::uint64_t flags, std::uint64_t mode = 0);

} // namespace aaos::file
