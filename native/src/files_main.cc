// aaos-files: the file worker of one agent. argv holds its grants (file_grants.h), descriptor 3 is
// a stream socket to the daemon that carries the frames of file_wire.h. One request at a time; ends
// when the socket closes or a frame is malformed.
#include "file_verbs.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <unistd.h>

namespace aaos::file {
namespace {

constexpr int kSocket = 3;
constexpr std::size_t kChunk = std::size_t{64} * 1024;

// What was received and not yet answered. One read may hold several frames, or a part of one.
class Inbox {
public:
  // The next frame's body; empty at the end of the stream or where the length is out of bounds.
  std::string_view next() {
    at_ += taken_;
    taken_ = 0;
    while (!complete()) {
      if (length_out_of_bounds() || !fill()) {
        return {};
      }
    }
    taken_ = 4 + length();
    return std::string_view(buffer_).substr(at_ + 4, length());
  }

private:
  std::size_t available() const { return buffer_.size() - at_; }
  std::size_t length() const {
    std::uint32_t value = 0;
    memcpy(&value, buffer_.data() + at_, sizeof value);
    return value;
  }
  bool complete() const { return available() >= 4 && available() - 4 >= length(); }
  bool length_out_of_bounds() const {
    return available() >= 4 && (length() > kMaxRequestBytes || length() == 0);
  }

  bool fill() {
    buffer_.erase(0, at_);
    at_ = 0;
    if (buffer_.empty() && buffer_.capacity() > 2 * kChunk) {
      buffer_.shrink_to_fit();
    }
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kChunk);
    ssize_t got = 0;
    do {
      got = read(kSocket, buffer_.data() + before, kChunk);
    } while (got < 0 && errno == EINTR);
    buffer_.resize(before + static_cast<std::size_t>(got > 0 ? got : 0));
    return got > 0;
  }

  std::string buffer_;
  std::size_t at_ = 0;
  std::size_t taken_ = 0;
};

bool send_all(std::string_view frame) {
  while (!frame.empty()) {
    const ssize_t sent = write(kSocket, frame.data(), frame.size());
    if (sent < 0 && errno != EINTR) {
      return false;
    }
    frame.remove_prefix(static_cast<std::size_t>(sent > 0 ? sent : 0));
  }
  return true;
}

int serve(Grants& grants) {
  Inbox inbox;
  Reply reply;
  for (std::string_view body = inbox.next(); !body.empty(); body = inbox.next()) {
    Request request;
    if (!decode_request(body, request)) {
      return 2;
    }
    perform(request, grants, reply);
    if (!send_all(reply.finish())) {
      return 1;
    }
    reply.release();
  }
  return 0;
}

} // namespace
} // namespace aaos::file

int main(int argc, char** argv) {
  aaos::file::Grants grants;
  for (int i = 1; i < argc; ++i) {
    if (!grants.add(argv[i])) {
      dprintf(2, "aaos-files: not a grant: %s\n", argv[i]);
      return 2;
    }
  }
  return aaos::file::serve(grants);
}
