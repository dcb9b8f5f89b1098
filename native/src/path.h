// Paths as plans and requests may hold them.
#pragma once

#include <cstddef>
#include <string_view>

namespace aaos {

inline constexpr std::size_t kMaxPathBytes = 4000;

// Absolute and normalised, below "/", without NUL: what PlanPath of confinement.ts allows.
bool is_plan_path(std::string_view path);

// Whether `path` is `ancestor` or lies below it; both are plan paths.
bool is_within(std::string_view path, std::string_view ancestor);

} // namespace aaos
