#include <troupe/nats/nats_url.hpp>

#include <charconv>
#include <stdexcept>

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw std::invalid_argument("the URL of a NATS server: " + why);
}

int digit_of(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? digit_of(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? digit_of(text[i + 2]) : -1;
    if (high < 0 || low < 0)
      refuse("a percent sign without two hexadecimal digits");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

} // namespace

nats_url nats_url::parse(std::string_view text) {
  nats_url url;
  if (const auto end = text.find("://"); end != std::string_view::npos) {
    const auto scheme = text.substr(0, end);
    if (scheme == "tls")
      url.tls = true;
    else if (scheme != "nats")
      refuse("it begins with nats:// or tls://");
    text.remove_prefix(end + 3);
  }
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    const auto who = text.substr(0, at);
    if (const auto colon = who.find(':'); colon != std::string_view::npos)
      url.credentials = nats_user{decoded(who.substr(0, colon)), decoded(who.substr(colon + 1))};
    else
      url.credentials = nats_token{decoded(who)};
    text.remove_prefix(at + 1);
  }
  if (text.ends_with('/'))
    text.remove_suffix(1);
  std::string_view port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos)
      refuse("a [ without a ]");
    url.host = text.substr(1, end - 1);
    const auto rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':'))
      refuse("behind ] comes a colon and the port");
    port = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && port.empty())
      refuse("there is no port behind the colon");
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    url.host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (port.empty())
      refuse("there is no port behind the colon");
    if (port.find(':') != std::string_view::npos)
      refuse("an IPv6 address stands in brackets");
  } else {
    url.host = text;
  }
  if (url.host.empty())
    refuse("there is no host");
  for (const char c : url.host)
    if (static_cast<unsigned char>(c) <= ' ' || c == '/' || c == 0x7f)
      refuse("the host has a character that no host has");
  if (!port.empty()) {
    unsigned number = 0;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
    if (error != std::errc{} || end != port.data() + port.size() || number == 0 || number > 65535)
      refuse("the port is a number from 1 to 65535");
    url.port = static_cast<std::uint16_t>(number);
  }
  return url;
}

std::string nats_url::name() const {
  const bool numbers = host.find(':') != std::string::npos;
  return (numbers ? '[' + host + ']' : host) + ':' + std::to_string(port);
}

} // namespace troupe
