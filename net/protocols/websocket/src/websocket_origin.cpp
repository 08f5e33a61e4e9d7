#include "websocket_origin.hpp"

#include <algorithm>

namespace troupe::detail {

namespace {

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5
         && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

std::string normal_origin(std::string_view origin) {
  std::string text{origin};
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  const auto end = text.find("://");
  if (end == std::string::npos || end == 0)
    return {};
  const auto authority = std::string_view{text}.substr(end + 3);
  if (authority.empty() || authority.front() == ':'
      || authority.find_first_of("/?#@ ,") != std::string_view::npos)
    return {};
  const auto colon = authority.rfind(':');
  const auto bracket = authority.rfind(']'); // the end of an IPv6 address
  if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
    return text;
  const auto port = authority.substr(colon + 1);
  if (!is_port(port))
    return {};
  const auto scheme = std::string_view{text}.substr(0, end);
  if ((port == "80" && (scheme == "http" || scheme == "ws"))
      || (port == "443" && (scheme == "https" || scheme == "wss")))
    text.resize(end + 3 + colon);
  return text;
}

bool is_origin_allowed(std::string_view origin, bool tls, std::string_view host,
                       const std::vector<std::string>& allowed) {
  const auto theirs = normal_origin(origin);
  if (!theirs.empty()
      && theirs == normal_origin((tls ? "https://" : "http://") + std::string{host}))
    return true;
  return std::ranges::any_of(allowed, [&](const std::string& a) {
    return a == "*" || (a == "null" && origin == "null")
           || (!theirs.empty() && normal_origin(a) == theirs);
  });
}

} // namespace troupe::detail
