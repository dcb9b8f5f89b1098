// libFuzzer target: the plan parser, what is made of a plan before the clone, and its written form.
// A plan that is accepted must mean the same after it was written and read again.
#include "../src/mounts.h"
#include "../src/plan.h"
#include "../src/seccomp.h"

#include <cstdint>
#include <cstdlib>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  aaos::Plan plan;
  aaos::PlanError error;
  if (!aaos::parse_plan(text, plan, error)) {
    return 0;
  }
  const std::string written = aaos::write_plan(plan);
  aaos::Plan again;
  if (written.size() <= aaos::kMaxPlanBytes &&
      (!aaos::parse_plan(written, again, error) || aaos::write_plan(again) != written)) {
    abort();
  }
  aaos::mounts::Prepared root;
  std::string bad_path;
  (void)aaos::mounts::prepare(plan, root, bad_path);
  for (const aaos::mounts::Action& action : root.actions) {
    if (!aaos::is_plan_path(action.path)) {
      abort();
    }
  }
  aaos::seccomp::Program filter;
  (void)aaos::seccomp::assemble(plan.seccomp, filter);
  return 0;
}
