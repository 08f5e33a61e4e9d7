#include <troupe/websocket/websocket_url.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <system_error>

#include <troupe/http/http_text.hpp>

namespace troupe {

websocket_url websocket_url::parse(std::string_view text) {
  const auto wrong = [&](const char* why) {
    throw std::invalid_argument("websocket_url: " + std::string{why} + ": \"" + std::string{text}
                                + '"');
  };
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      wrong("a byte that no URL can have");
  websocket_url url;
  const auto scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    wrong("ws:// or wss:// is expected");
  const auto scheme = text.substr(0, scheme_end);
  url.tls = equal_without_case(scheme, "wss");
  if (!url.tls && !equal_without_case(scheme, "ws"))
    wrong("ws:// or wss:// is expected");
  auto rest = text.substr(scheme_end + 3);
  if (rest.find('#') != std::string_view::npos)
    wrong("a fragment makes no sense here");
  const auto path = std::min(rest.find_first_of("/?"), rest.size());
  auto authority = rest.substr(0, path);
  url.target = rest.substr(path);
  if (url.target.empty() || url.target.front() == '?')
    url.target.insert(0, "/");
  if (authority.find('@') != std::string_view::npos)
    wrong("a user is not sent; use a field");
  auto port = std::string_view{};
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos)
      wrong("no address");
    url.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    if (!port.empty() && port.front() != ':')
      wrong("no address");
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (url.host.empty())
    wrong("no host");
  url.port = url.tls ? 443 : 80;
  if (port.size() > 1) {
    const auto* const end = port.data() + port.size();
    const auto [to, error] = std::from_chars(port.data() + 1, end, url.port);
    if (error != std::errc{} || to != end || url.port == 0)
      wrong("no port");
  }
  return url;
}

std::string websocket_url::authority() const {
  auto text = host.find(':') != std::string::npos ? '[' + host + ']' : host;
  if (port != (tls ? 443 : 80))
    text += ':' + std::to_string(port);
  return text;
}

} // namespace troupe
