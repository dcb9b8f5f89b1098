// libFuzzer target: the file worker's wire and its verbs, on real directories. Whatever is sent,
// nothing outside the grants may change: a file beside them is checked from time to time.
#include "../src/file_verbs.h"
#include "../src/file_wire.h"
#include "../src/path.h"

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace {

aaos::file::Grants& grants() {
  static aaos::file::Grants* made = [] {
    // Short names, so that the fuzzer finds them: the corpus uses the same.
    for (const char* dir : {"/dev/shm/fz", "/dev/shm/fz/r", "/dev/shm/fz/w", "/dev/shm/fz/b"}) {
      mkdir(dir, 0700);
    }
    const int fd = open("/dev/shm/fz/r/f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "content", 7) != 7) {
      abort();
    }
    close(fd);
    (void)!symlink("../b", "/dev/shm/fz/r/l");
    (void)!symlink("/dev/shm/fz/out", "/dev/shm/fz/b/o");
    auto* out = new aaos::file::Grants();
    if (!out->add("r*/dev/shm/fz/r") || !out->add("w*/dev/shm/fz/w") ||
        !out->add("b*/dev/shm/fz/b") || !out->add("b=/dev/shm/fz/x")) {
      abort();
    }
    return out;
  }();
  return *made;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static aaos::file::Reply reply;
  aaos::file::Request request;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (!aaos::file::decode_request(body, request)) {
    return 0;
  }
  // Writing fills the (memory) file system: those verbs run in one case of 64, and on names of one
  // letter.
  const bool writes = request.verb >= aaos::file::Verb::kReplace;
  if (writes && ((size & 63) != 0 || request.path.size() > sizeof "/dev/shm/fz/b/x/y")) {
    return 0;
  }
  aaos::file::perform(request, grants(), reply);
  if (reply.finish().size() < 9 || access("/dev/shm/fz/out", F_OK) == 0) {
    abort();
  }
  return 0;
}
