#include <troupe/websocket/detail/utf8_checker.hpp>

#include <cstddef>
#include <cstring>

namespace troupe::detail {

bool utf8_checker::take(std::string_view piece) noexcept {
  std::size_t at = 0;
  while (at < piece.size()) {
    if (missing_ == 0) {
      std::uint64_t word = 0;
      while (piece.size() - at >= sizeof word) {
        std::memcpy(&word, piece.data() + at, sizeof word);
        if ((word & 0x8080808080808080U) != 0)
          break;
        at += sizeof word;
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
