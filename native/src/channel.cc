#include "channel.h"

#include "child.h"
#include "datagram.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace aaos {
namespace {

constexpr std::size_t kMaxQueued = 10'000;
constexpr std::size_t kMaxFds =
    kMaxDescriptors > kMaxListeners + 1 ? kMaxDescriptors : kMaxListeners + 1;

void take_descriptors(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
      continue;
    }
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

} // namespace

Channel::Received Channel::receive(std::string& text, std::vector<UniqueFd>& fds) {
  static char buffer[kMaxPlanBytes + 64];
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMaxFds)];
  iovec data{buffer, sizeof buffer};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = space;
  message.msg_controllen = sizeof space;
  text.clear();
  fds.clear();
  const ssize_t got = recvmsg(fd_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) {
    return errno == EAGAIN || errno == EINTR ? Received::kNothing : Received::kClosed;
  }
  take_descriptors(message, fds);
  if (got == 0) {
    return Received::kClosed;
  }
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0) {
    text.assign(buffer, static_cast<std::size_t>(got));
  }
  return Received::kMessage;
}

bool Channel::send(std::string text, std::vector<UniqueFd> fds) {
  queue_.push_back({std::move(text), std::move(fds)});
  return queue_.size() <= kMaxQueued && flush();
}

bool Channel::flush() {
  while (!queue_.empty()) {
    const Message& next = queue_.front();
    int fds[kMaxFds] = {};
    std::transform(next.fds.begin(), next.fds.end(), fds,
                   [](const UniqueFd& fd) { return fd.get(); });
    if (!send_datagram<kMaxFds>(fd_, next.text, fds, next.fds.size())) {
      return errno == EAGAIN || errno == EINTR;
    }
    queue_.pop_front();
  }
  return true;
}

} // namespace aaos
