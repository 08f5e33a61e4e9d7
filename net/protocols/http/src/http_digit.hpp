#pragma once

namespace troupe::detail {

constexpr bool is_http_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

} // namespace troupe::detail
