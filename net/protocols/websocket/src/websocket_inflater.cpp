#include "websocket_inflater.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <new>

#include <zlib.h>

#include <troupe/websocket/websocket_frame.hpp>

namespace troupe::detail {

namespace {

// What the sender has left out behind each message: the length of an empty block, twice.
constexpr std::string_view tail{"\0\0\xff\xff", 4};

constexpr int after_a_block = 128; // in z_stream::data_type
constexpr int unused_bits = 7;

} // namespace

struct websocket_inflater::stream {
  stream() {
    if (inflateInit2(&z, -MAX_WBITS) != Z_OK) // which reads what was packed with any window
      throw std::bad_alloc{};
  }
  ~stream() { inflateEnd(&z); }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;
  z_stream z{};
  std::string_view rest; // of the piece
  std::array<char, most> out;
};

websocket_inflater::websocket_inflater() : stream_(std::make_unique<stream>()) {}

websocket_inflater::~websocket_inflater() = default;

void websocket_inflater::feed(std::string_view piece) noexcept {
  stream_->rest = piece;
}

void websocket_inflater::feed_end() noexcept {
  stream_->rest = tail;
  ends_ = true;
}

std::size_t websocket_inflater::unused() const noexcept {
  return stream_->rest.size();
}

bool websocket_inflater::refuse(std::uint16_t code, const char* why) noexcept {
  code_ = code;
  wrong_ = why;
  return false;
}

bool websocket_inflater::step(std::size_t room) {
  if (wrong_ != nullptr)
    return false;
  auto& s = *stream_;
  auto& z = s.z;
  for (;;) {
    const auto in_now = std::min<std::size_t>(s.rest.size(), std::numeric_limits<uInt>::max());
    const auto out_now = std::min(room, s.out.size());
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(s.rest.data())); // which it leaves alone
    z.avail_in = static_cast<uInt>(in_now);
    z.next_out = reinterpret_cast<Bytef*>(s.out.data());
    z.avail_out = static_cast<uInt>(out_now);
    // At the end it stops behind each block, so as to tell where it is.
    const auto result = inflate(&z, ends_ ? Z_BLOCK : Z_NO_FLUSH);
    const auto taken = in_now - z.avail_in;
    s.rest.remove_prefix(taken);
    output_ = {s.out.data(), out_now - z.avail_out};
    if (final_ && !output_.empty())
      return refuse(websocket_code::protocol_error, "data behind the last block of a message");
    if (result == Z_STREAM_END) {
      final_ = true;
      inflateReset(&z);
    } else if (result == Z_MEM_ERROR) {
      throw std::bad_alloc{};
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      // What came before the mistake counts first.
      refuse(websocket_code::not_utf8, "the message does not unpack");
      return !output_.empty();
    }
    if (!output_.empty())
      return true;
    if (taken == 0 || s.rest.empty())
      break;
  }
  if (ends_
      && (!s.rest.empty() || (z.data_type & after_a_block) == 0
          || (z.data_type & unused_bits) != 0))
    return refuse(websocket_code::not_utf8, "the message ends before it is unpacked");
  return false;
}

} // namespace troupe::detail
