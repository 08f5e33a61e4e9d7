#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace troupe::detail {

/// Packs one message, as if it were the first: what this thread has packed before leaves no trace.
///
/// Memory: 256 KiB for each number of bits that this thread has used.
///
/// \param window_bits  9 to 15
/// \returns nothing if packing does not make it shorter
///
/// Thread: any. Source: RFC 7692, 7.2.1
[[nodiscard]] std::optional<std::string> deflate_message(std::string_view message, int window_bits);

} // namespace troupe::detail
