#include "file_wire.h"

#include "path.h"

#include <cstring>

namespace aaos::file {
namespace {

constexpr std::size_t kKeptBytes = std::size_t{64} * 1024;

// Takes numbers off the front; every take fails once the input is too short.
class Cursor {
public:
  explicit Cursor(std::string_view rest) : rest_(rest) {}

  template <typename T> bool take(T& out) {
    if (rest_.size() < sizeof(T)) {
      return false;
    }
    memcpy(&out, rest_.data(), sizeof(T)); // little-endian on both architectures
    rest_.remove_prefix(sizeof(T));
    return true;
  }
  bool take_bytes(std::size_t length, std::string_view& out) {
    if (rest_.size() < length) {
      return false;
    }
    out = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return true;
  }
  std::string_view rest() const { return rest_; }
  bool at_end() const { return rest_.empty(); }

private:
  std::string_view rest_;
};

} // namespace

bool decode_request(std::string_view body, Request& out) {
  Cursor cursor(body);
  std::uint8_t verb = 0;
  std::uint16_t path_length = 0;
  if (!cursor.take(out.id) || !cursor.take(verb) || !cursor.take(path_length) ||
      !cursor.take_bytes(path_length, out.path) || !is_plan_path(out.path)) {
    return false;
  }
  out.verb = static_cast<Verb>(verb);
  switch (out.verb) {
  case Verb::kRead:
    return cursor.take(out.offset) && out.offset <= INT64_MAX && cursor.take(out.max) &&
           out.max <= kMaxReadBytes && cursor.at_end();
  case Verb::kList:
    return cursor.take(out.max) && out.max <= kMaxEntries && cursor.at_end();
  case Verb::kStat:
  case Verb::kMakeDir:
    return cursor.at_end();
  case Verb::kReplace:
  case Verb::kAppend:
    out.content = cursor.rest();
    return true;
  }
  return false;
}

void Reply::begin(std::uint32_t id, Status status) {
  buffer_.assign(4, '\0');
  u32(id);
  u8(static_cast<std::uint8_t>(status));
}

void Reply::number(std::uint64_t value, std::size_t width) {
  char raw[sizeof value];
  memcpy(raw, &value, sizeof value);
  buffer_.append(raw, width);
}

char* Reply::reserve(std::size_t size) {
  const std::size_t at = buffer_.size();
  buffer_.resize(at + size);
  return buffer_.data() + at;
}

void Reply::patch_u64(std::size_t at, std::uint64_t value) {
  memcpy(buffer_.data() + at, &value, sizeof value);
}

std::string_view Reply::finish() {
  const auto length = static_cast<std::uint32_t>(buffer_.size() - 4);
  memcpy(buffer_.data(), &length, sizeof length);
  return buffer_;
}

void Reply::release() {
  if (buffer_.capacity() > kKeptBytes) {
    buffer_.clear();
    buffer_.shrink_to_fit();
  }
}

void failed(Reply& reply, std::uint32_t id, int error) {
  reply.begin(id, Status::kFailed);
  reply.u16(static_cast<std::uint16_t>(error));
}

void denied(Reply& reply, std::uint32_t id, Right right, std::string_view path) {
  reply.begin(id, Status::kDenied);
  reply.u8(right);
  reply.bytes(path);
}

} // namespace aaos::file
