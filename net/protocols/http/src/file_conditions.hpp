#pragma once

#include <ctime>
#include <string_view>

#include <troupe/http/http_head.hpp>

namespace troupe::detail {

/// Says what the conditions of a request come to for what has this tag and was changed then.
///
/// \returns 304, 412, or 200 if the request is to be answered as without conditions
/// Source: RFC 9110, 13.2.2
[[nodiscard]] int check_conditions(const http_request_head& head, std::string_view tag,
                                   std::time_t changed, std::time_t now);

/// Tells whether ranges may be sent: there is no If-Range, or it names what there is.
[[nodiscard]] bool range_applies(const http_request_head& head, std::string_view tag,
                                 std::time_t changed, std::time_t now);

} // namespace troupe::detail
