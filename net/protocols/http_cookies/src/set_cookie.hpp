#pragma once

#include <cstddef>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace troupe::detail {

/// What a field Set-Cookie says.
struct set_cookie {
  std::string name;
  std::string value;
  std::optional<std::time_t> expires;
  std::string domain; // in small letters, without a dot in front; empty: not said
  std::string path;   // empty: not said
  bool secure = false;
  bool http_only = false;
};

/// Reads it, as leniently as browsers do; nothing if it is no cookie, or its name and value have more than
/// `max_size` bytes. Source: RFC 6265, 5.2
std::optional<set_cookie> parse_set_cookie(std::string_view field, std::time_t now,
                                           std::size_t max_size);

/// Reads a date in any of the forms that servers send. Source: RFC 6265, 5.1.1
std::optional<std::time_t> parse_cookie_date(std::string_view text);

/// Returns the folder of a path: what a cookie without one is for. Source: RFC 6265, 5.1.4
std::string default_cookie_path(std::string_view path);

/// Tells whether a cookie for `of` goes with a request for `path`.
bool cookie_path_matches(std::string_view of, std::string_view path) noexcept;

/// Tells whether `host`, no IP address, is `domain` or below it.
bool cookie_domain_matches(std::string_view domain, std::string_view host);

} // namespace troupe::detail
