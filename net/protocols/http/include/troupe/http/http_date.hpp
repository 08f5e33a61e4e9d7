#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// Returns a time as in "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] std::string format_http_date(std::time_t at);

/// Returns the time that a date names, in any of the three forms that there are; nothing if it is
/// none, or before 1970.
///
/// \param now  a year of two digits that would lie more than 50 years ahead of this is a past one
/// Source: RFC 9110, 5.6.7
[[nodiscard]] std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now);

} // namespace troupe
