#include <troupe/websocket/detail/utf8_checker.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace troupe::detail {

namespace {

// Tells whether `N` bytes are ASCII, all of them.
template <std::size_t N>
bool is_ascii(const char* from) noexcept {
  std::array<std::uint64_t, N / 8> words;
  std::memcpy(words.data(), from, N);
  std::uint64_t all = 0;
  for (const auto word : words)
    all |= word;
  return (all & 0x8080808080808080U) == 0;
}

} // namespace

bool utf8_checker::take(std::string_view piece) noexcept {
  std::size_t at = 0;
  while (at < piece.size()) {
    if (missing_ == 0) {
      // Longer steps only behind a short one, which is all that there is in most of a text that is not English.
      while (piece.size() - at >= 8 && is_ascii<8>(piece.data() + at)) {
        at += 8;
        while (piece.size() - at >= 32 && is_ascii<32>(piece.data() + at))
          at += 32;
      }
      if (at == piece.size())
        return true;
    }
    const auto byte = static_cast<std::uint8_t>(piece[at++]);
    if (missing_ > 0) {
      if (byte < low_ || byte > high_)
        return false;
      low_ = 0x80;
      high_ = 0xbf;
      --missing_;
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4)
        return false;
      missing_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      if (byte == 0xe0)
        low_ = 0xa0;
      else if (byte == 0xed)
        high_ = 0x9f;
      else if (byte == 0xf0)
        low_ = 0x90;
      else if (byte == 0xf4)
        high_ = 0x8f;
    }
  }
  return true;
}

} // namespace troupe::detail
