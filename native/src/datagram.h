// One datagram of a SOCK_SEQPACKET socket with descriptors beside it (SCM_RIGHTS, unix(7)): both ends of the launcher's wire send
// it this way. Header only, so that the addon needs nothing of the launcher's.
#pragma once

#include <cstddef>
#include <cstring>
#include <string_view>
#include <sys/socket.h>
#include <sys/uio.h>

namespace aaos {

// Never waits. False with errno set; the descriptors stay the caller's. `count` is at most kMaxFds.
template <std::size_t kMaxFds>
bool send_datagram(int socket, std::string_view text, const int* fds, std::size_t count) {
  iovec data{const_cast<char*>(text.data()), text.size()};
  alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (count > 0) {
    const std::size_t bytes = sizeof(int) * count;
    message.msg_control = space;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    memcpy(CMSG_DATA(header), fds, bytes);
  }
  return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

} // namespace aaos
