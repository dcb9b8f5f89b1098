#include "namespaces.h"

#include "unique_fd.h"

#include <arpa/inet.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>

namespace aaos::namespaces {
namespace {

int write_file(const char* path, const char* text) {
  const UniqueFd fd(open(path, O_WRONLY | O_CLOEXEC));
  const std::size_t length = strlen(text);
  if (!fd) {
    return errno;
  }
  return write(fd.get(), text, length) == static_cast<ssize_t>(length) ? 0 : errno;
}

int open_listener(const Listener& at, int& out) {
  UniqueFd fd(
      socket(AF_INET, (at.tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) {
    return errno;
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(at.port);
  address.sin_addr.s_addr = htonl(at.any_address ? INADDR_ANY : INADDR_LOOPBACK);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      (at.tcp && listen(fd.get(), 64) != 0)) {
    return errno;
  }
  out = fd.release();
  return 0;
}

} // namespace

std::uint64_t clone_flags(const Plan& plan) {
  constexpr std::uint64_t flags[] = {CLONE_NEWUSER, CLONE_NEWNS,     CLONE_NEWPID, CLONE_NEWIPC,
                                     CLONE_NEWUTS,  CLONE_NEWCGROUP, CLONE_NEWNET};
  static_assert(std::size(flags) == std::size(kNamespaces));
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < std::size(flags); ++i) {
    if ((plan.namespaces >> i & 1) != 0) {
      out |= flags[i];
    }
  }
  return out;
}

IdMaps prepare_maps(const Plan& plan) {
  IdMaps maps{};
  (void)snprintf(maps.uid, sizeof maps.uid, "%u %u 1\n", plan.uid, geteuid());
  (void)snprintf(maps.gid, sizeof maps.gid, "%u %u 1\n", plan.gid, getegid());
  return maps;
}

// From inside, so that no process is named by a number that may have been reused. The files under
// /proc/self belong to root while a process is not dumpable, so it is for this moment; nothing runs
// in it yet that could be read.
int apply_maps(const IdMaps& maps) {
  if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) {
    return errno;
  }
  int error = write_file("/proc/self/setgroups", "deny");
  if (error == 0) {
    error = write_file("/proc/self/uid_map", maps.uid);
  }
  if (error == 0) {
    error = write_file("/proc/self/gid_map", maps.gid);
  }
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 && error == 0) {
    error = errno;
  }
  return error;
}

int apply_hostname(const std::string& name) {
  return sethostname(name.data(), name.size()) == 0 ? 0 : errno;
}

int raise_loopback() {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (!fd || ioctl(fd.get(), SIOCSIFFLAGS, &request) != 0) {
    return errno;
  }
  return 0;
}

int open_listeners(const std::vector<Listener>& listeners, int* fds, int& detail) {
  detail = 0;
  for (const Listener& at : listeners) {
    if (const int error = open_listener(at, fds[detail]); error != 0) {
      return error;
    }
    ++detail;
  }
  return 0;
}

} // namespace aaos::namespaces
