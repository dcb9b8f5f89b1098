// Asks the running kernel one thing and prints the answer; the smoke test's eye inside the VM.
// Static, needs no library of the guest.
//   landlock-abi   the Landlock ABI number, 0 when there is none
//   userns         a user and a mount namespace as this user, and a tmpfs mounted in them; prints
//   "ok" or the step and errno hog MB         touches so much memory, then prints "held MB" forks N
//   tries to have N children alive at once; prints "forked M" and, when it fell short, why
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <linux/landlock.h>
#include <sched.h>
#include <string_view>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

int refuse(const char* step) {
  std::printf("%s: %s\n", step, std::strerror(errno));
  return 1;
}

int landlockAbi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  std::printf("%ld\n", abi < 0 ? 0 : abi);
  return 0;
}

int userNamespace() {
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return refuse("unshare");
  if (::mount("none", "/tmp", "tmpfs", MS_NODEV | MS_NOSUID, "size=1m") != 0)
    return refuse("mount");
  std::puts("ok");
  return 0;
}

int hog(long megabytes) {
  const std::size_t size = static_cast<std::size_t>(megabytes) << 20;
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return refuse("mmap");
  for (std::size_t at = 0; at < size; at += 4096)
    static_cast<volatile char*>(memory)[at] = 1;
  std::printf("held %ld\n", megabytes);
  return 0;
}

int forks(long wanted) {
  std::vector<pid_t> children;
  int error = 0;
  while (std::ssize(children) < wanted) {
    const pid_t pid = ::fork();
    if (pid < 0) {
      error = errno;
      break;
    }
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
    children.push_back(pid);
  }
  for (const pid_t pid : children)
    ::kill(pid, SIGKILL);
  while (::wait(nullptr) > 0) {
  }
  std::printf("forked %zd%s%s\n", std::ssize(children), error == 0 ? "" : " ",
              error == 0 ? "" : std::strerror(error));
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const long number = argc > 2 ? std::atol(argv[2]) : 0;
  if (what == "landlock-abi")
    return landlockAbi();
  if (what == "userns")
    return userNamespace();
  if (what == "hog")
    return hog(number);
  if (what == "forks")
    return forks(number);
  std::fputs("usage: probe landlock-abi | userns | hog MB | forks N\n", stderr);
  return 2;
}
