#pragma once

#include <cstddef>
#include <string_view>

namespace troupe::irc {

/// Returns the beginning of `text`, of at most `size` bytes, that ends between code points.
[[nodiscard]] inline std::string_view cut_text(std::string_view text, std::size_t size) noexcept {
  if (text.size() <= size)
    return text;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xc0) == 0x80)
    --size;
  return text.substr(0, size);
}

} // namespace troupe::irc
