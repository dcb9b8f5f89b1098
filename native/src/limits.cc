#include "limits.h"

#include <cerrno>
#include <sys/resource.h>

namespace aaos::limits {

int apply(const std::vector<Rlimit>& limits, int& detail) {
  constexpr __rlimit_resource resources[] = {RLIMIT_AS,     RLIMIT_CORE,  RLIMIT_CPU,
                                             RLIMIT_DATA,   RLIMIT_FSIZE, RLIMIT_MEMLOCK,
                                             RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_STACK};
  static_assert(std::size(resources) == std::size(kRlimits));
  detail = 0;
  for (const Rlimit& limit : limits) {
    const rlimit value{limit.value, limit.value};
    if (setrlimit(resources[limit.which], &value) != 0) {
      return errno;
    }
    ++detail;
  }
  return 0;
}

} // namespace aaos::limits
