#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>

namespace troupe {

/// Which pages of other origins may read what a handler answers.
struct http_cors_options {
  /// As browsers write them: `"https://chat.example"`; `"*"` is any.
  std::vector<std::string> origins;

  /// Beyond GET, HEAD and POST with what forms can send.
  std::vector<std::string> methods{};
  std::vector<std::string> fields{};

  /// Whether cookies and the like are sent along; not with any origin.
  bool credentials = false;

  std::chrono::seconds max_age{600};
};

/// Adds to the responses of `inner` what lets those origins read them, and answers preflights with 204.
/// Requests themselves are not refused: that is no business of CORS.
///
/// \throws std::invalid_argument for any origin with credentials, and what cannot be in a field
/// Source: the Fetch standard, 3.2
[[nodiscard]] http_handler allow_origins(http_cors_options options, http_handler inner);

} // namespace troupe
