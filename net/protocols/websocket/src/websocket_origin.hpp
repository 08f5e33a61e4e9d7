#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::detail {

/// Returns an origin, such as "https://example.org:8080", in small letters and without the port that its scheme
/// has anyway; nothing if it is none. Source: RFC 6454, 6.1
[[nodiscard]] std::string normal_origin(std::string_view origin);

/// Tells whether pages of `origin` may connect to a server which the request calls `host`.
///
/// \param allowed  others that may
[[nodiscard]] bool is_origin_allowed(std::string_view origin, bool tls, std::string_view host,
                                     const std::vector<std::string>& allowed);

} // namespace troupe::detail
