#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe::detail {

/// Returns `bytes` in base 64, with padding. Source: RFC 4648, section 4
[[nodiscard]] std::string to_base64(std::string_view bytes);

/// Returns `bytes` in the alphabet for URLs and file names, without padding. Source: RFC 4648, section 5
[[nodiscard]] std::string to_base64_url(std::string_view bytes);

/// Returns the bytes that `text` stands for, or nothing if it is not what `to_base64` gives: with padding, and
/// without anything that means nothing, such as ends of lines. Source: RFC 4648, section 4
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace troupe::detail
