// The file worker's wire, mirrored by runtime/protocol/file-worker-wire.ts. Little-endian.
//
//   frame    = u32 length of the rest, body
//   request  = u32 id, u8 verb, u16 path length, path, then
//              read: u64 offset, u32 max bytes     list: u32 max entries     stat: nothing
//              replace, append: the content, to the end of the frame         make_dir: nothing
//   reply    = u32 id, u8 status, then
//              done: what the verb answers         failed: u16 errno         denied: u8 right, path
//   read     = u64 size of the file, bytes         stat = u8 kind, u64 size
//   list     = u8 kind, u8 truncated, u32 count, count × (u8 kind, u64 size, u16 name length, name)
//   replace, append = u64 bytes written
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace aaos::file {

inline constexpr std::size_t kMaxRequestBytes = std::size_t{16} * 1024 * 1024;
inline constexpr std::uint32_t kMaxReadBytes = 8 * 1024 * 1024;
inline constexpr std::uint32_t kMaxEntries = 100'000;

enum class Verb : std::uint8_t { kRead = 1, kList, kStat, kReplace, kAppend, kMakeDir };
enum class Status : std::uint8_t { kDone = 0, kFailed = 1, kDenied = 2 };
enum class EntryKind : std::uint8_t { kFile = 1, kDir, kSymlink, kOther };
enum Right : std::uint8_t { kRead = 1, kWrite = 2 };

struct Request {
  std::uint32_t id = 0;
  Verb verb = Verb::kRead;
  std::string_view path;
  std::uint64_t offset = 0;
  std::uint32_t max = 0;
  std::string_view content;
};

// Reads a frame's body. False for anything that is not exactly one well-formed request; the views
// point into `body`.
bool decode_request(std::string_view body, Request& out);

// Builds one reply frame in a buffer that is used again.
class Reply {
public:
  void begin(std::uint32_t id, Status status);
  void u8(std::uint8_t value) { number(value, 1); }
  void u16(std::uint16_t value) { number(value, 2); }
  void u32(std::uint32_t value) { number(value, 4); }
  void u64(std::uint64_t value) { number(value, 8); }
  void bytes(std::string_view value) { buffer_.append(value); }
  // Room for `size` bytes at the end, to read into; `shrink` gives back what was not filled.
  char* reserve(std::size_t size);
  void shrink(std::size_t unused) { buffer_.resize(buffer_.size() - unused); }
  void patch_u64(std::size_t at, std::uint64_t value);
  std::size_t size() const { return buffer_.size(); }
  // The whole frame, its length filled in.
  std::string_view finish();
  // Gives memory back after a large reply.
  void release();

private:
  void number(std::uint64_t value, std::size_t width);
  std::string buffer_;
};

void failed(Reply& reply, std::uint32_t id, int error);
void denied(Reply& reply, std::uint32_t id, Right right, std::string_view path);

} // namespace aaos::file
