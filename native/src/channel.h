// The launcher's socket to the daemon: SOCK_SEQPACKET, one text datagram a message, descriptors
// beside it.
#pragma once

#include "unique_fd.h"

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace aaos {

class Channel {
public:
  explicit Channel(int fd) : fd_(fd) {}

  enum class Received : std::uint8_t { kMessage, kNothing, kClosed };
  // Takes one datagram. One that was too long, or whose descriptors did not all arrive, comes as an
  // empty message.
  Received receive(std::string& text, std::vector<UniqueFd>& fds);

  // Queues a message and sends what the socket takes. False when the daemon is gone or reads
  // nothing for too long.
  bool send(std::string text, std::vector<UniqueFd> fds = {});
  bool flush();
  bool wants_to_write() const { return !queue_.empty(); }

private:
  struct Message {
    std::string text;
    std::vector<UniqueFd> fds;
  };
  int fd_;
  std::deque<Message> queue_;
};

} // namespace aaos
