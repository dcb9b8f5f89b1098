#include "path.h"

namespace aaos {

bool is_plan_path(std::string_view path) {
  if (path.size() < 2 || path.size() > kMaxPathBytes || path[0] != '/' ||
      path.find('\0') != std::string_view::npos) {
    return false;
  }
  std::size_t start = 1;
  while (start <= path.size()) {
    std::size_t end = path.find('/', start);
    end = end == std::string_view::npos ? path.size() : end;
    const std::string_view segment = path.substr(start, end - start);
    if (segment.empty() || segment == "." || segment == ".." || segment.size() > 255) {
      return false;
    }
    start = end + 1;
  }
  return true;
}

bool is_within(std::string_view path, std::string_view ancestor) {
  return path.starts_with(ancestor) &&
         (path.size() == ancestor.size() || path[ancestor.size()] == '/');
}

} // namespace aaos
