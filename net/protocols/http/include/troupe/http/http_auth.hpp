#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>

namespace troupe {

/// Tells whether two secrets are equal, in a time that tells nothing of where they differ.
[[nodiscard]] bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

/// Returns user and password of the scheme Basic; nothing if there are none, or they cannot be read.
/// Source: RFC 7617
[[nodiscard]] std::optional<std::pair<std::string, std::string>>
basic_credentials(const http_fields& fields);

/// Returns the token of the scheme Bearer; nothing if there is none. Source: RFC 6750
[[nodiscard]] std::optional<std::string_view> bearer_token(const http_fields& fields);

/// Lets only those requests through to `inner` whose user and password `check` accepts; others get 401,
/// whatever path and method they are for.
///
/// \param realm  what the browser shows
/// \param check  called on the loop of the connection; compare with `equal_in_constant_time`. What it
///               throws, or fails with, is answered as that of a handler
/// \throws std::invalid_argument if the realm has a control character
/// Source: twisted.web.guard.HTTPAuthSessionWrapper
[[nodiscard]] http_handler
require_basic(std::string_view realm,
              std::function<deferred<bool>(std::string user, std::string password)> check,
              http_handler inner);

/// As above, for a token.
[[nodiscard]] http_handler require_bearer(std::string_view realm,
                                          std::function<deferred<bool>(std::string token)> check,
                                          http_handler inner);

} // namespace troupe
