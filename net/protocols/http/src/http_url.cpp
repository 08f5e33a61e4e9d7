#include <troupe/http/http_url.hpp>

#include <algorithm>
#include <charconv>
#include <stdexcept>

#include <troupe/http/http_text.hpp>
#include <troupe/net/host_name.hpp>

#include "http_characters.hpp"

namespace troupe {

namespace {

[[noreturn]] void refuse(std::string_view text, const char* why) {
  std::string shown;
  for (const char c : text.substr(0, 200))
    shown += c > 0x20 && c < 0x7f ? c : '?';
  throw std::invalid_argument("the URL \"" + shown + "\" " + why);
}

// `whole` may have a host that is not ASCII.
void expect_url_bytes(std::string_view part, std::string_view text, bool whole) {
  for (const char c : part) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f || c == '\\' || (byte > 0x7f && !whole))
      refuse(text, "has a byte that a URL cannot have");
  }
}

char small(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_alpha(char c) noexcept {
  return small(c) >= 'a' && small(c) <= 'z';
}

// Returns how long the scheme in front is, without its colon; 0 if there is none.
std::size_t scheme_size(std::string_view text) noexcept {
  if (text.empty() || !is_alpha(text.front()))
    return 0;
  std::size_t at = 1;
  while (at < text.size()
         && (is_alpha(text[at]) || detail::is_http_digit(text[at]) || text[at] == '+'
             || text[at] == '-' || text[at] == '.'))
    ++at;
  return at < text.size() && text[at] == ':' ? at : 0;
}

// RFC 3986, 5.2.4, of a path that begins with "/".
std::string without_dots(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const auto end = std::min(path.find('/', 1), path.size());
    const auto segment = path.substr(0, end); // with the slash in front
    path.remove_prefix(end);
    if (segment == "/.") {
      if (path.empty())
        out += '/';
    } else if (segment == "/..") {
      out.erase(std::min(out.rfind('/'), out.size()));
      if (path.empty())
        out += '/';
    } else {
      out += segment;
    }
  }
  return out;
}

} // namespace

http_url http_url::parse(std::string_view text) {
  expect_url_bytes(text, text, true);
  http_url u;
  const auto scheme = text.substr(0, scheme_size(text));
  if (equal_without_case(scheme, "https"))
    u.secure_ = true;
  else if (!equal_without_case(scheme, "http"))
    refuse(text, "is neither of http nor of https");
  auto rest = text.substr(scheme.size() + 1);
  if (!rest.starts_with("//"))
    refuse(text, "has no host");
  rest.remove_prefix(2);
  const auto end = std::min(rest.find_first_of("/?#"), rest.size());
  auto authority = rest.substr(0, end);
  rest.remove_prefix(end);
  expect_url_bytes(rest, text, false);
  if (authority.find('@') != std::string_view::npos)
    refuse(text, "has a user, which does not belong into a URL");

  std::string_view port;
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos || close < 3)
      refuse(text, "has a host that is none");
    const auto address = authority.substr(1, close - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
      refuse(text, "has a host that is none");
    u.host_ = address;
    authority.remove_prefix(close + 1);
    if (!authority.empty() && authority.front() != ':')
      refuse(text, "has a host that is none");
    port = authority.empty() ? authority : authority.substr(1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    u.host_ = authority.substr(0, colon);
    port = colon < authority.size() ? authority.substr(colon + 1) : std::string_view{};
    if (auto ascii = ascii_host_name(u.host_))
      u.host_ = *std::move(ascii);
    else
      refuse(text, ("has a host that is none: " + ascii.error().message()).c_str());
    for (const char c : u.host_)
      if (!is_alpha(c) && !detail::is_http_digit(c) && c != '-' && c != '.' && c != '_' && c != '~')
        refuse(text, "has a host that is none");
  }
  if (u.host_.empty() || u.host_.size() > 255)
    refuse(text, "has no host");
  std::transform(u.host_.begin(), u.host_.end(), u.host_.begin(), small);
  u.port_ = u.secure_ ? 443 : 80;
  if (!port.empty()) {
    const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), u.port_);
    if (error != std::errc{} || stop != port.data() + port.size() || u.port_ == 0)
      refuse(text, "has a port that is none");
  }
  const auto hash = std::min(rest.find('#'), rest.size());
  if (hash < rest.size())
    u.fragment_ = rest.substr(hash + 1);
  rest = rest.substr(0, hash);
  if (!rest.starts_with('/'))
    u.target_ = '/';
  u.target_ += rest;
  return u;
}

http_url http_url::resolve(std::string_view reference) const {
  const auto hash = std::min(reference.find('#'), reference.size());
  auto wanted = reference.substr(0, hash);
  std::string whole;
  if (scheme_size(wanted) != 0) {
    whole = wanted;
  } else if (wanted.starts_with("//")) {
    (whole = scheme()) += ':';
    whole += wanted;
  } else {
    whole = origin();
    if (wanted.starts_with('/'))
      whole += wanted;
    else if (wanted.empty())
      whole += target_;
    else if (wanted.front() == '?')
      (whole += path()) += wanted;
    else
      (whole += path().substr(0, path().rfind('/') + 1)) += wanted;
  }
  auto u = parse(whole);
  const auto query = std::min(u.target_.find('?'), u.target_.size());
  auto target = without_dots(std::string_view{u.target_}.substr(0, query));
  target += std::string_view{u.target_}.substr(query);
  u.target_ = std::move(target);
  if (hash < reference.size()) {
    for (const char c : reference.substr(hash))
      if (c <= 0x20 || c >= 0x7f)
        refuse(reference, "has a byte that a URL cannot have");
    u.fragment_ = reference.substr(hash + 1);
  } else {
    u.fragment_ = fragment_;
  }
  return u;
}

std::string http_url::authority() const {
  std::string text = host_.find(':') != std::string::npos ? '[' + host_ + ']' : host_;
  if (port_ != (secure_ ? 443 : 80))
    (text += ':') += std::to_string(port_);
  return text;
}

std::string http_url::origin() const {
  return std::string{scheme()} + "://" + authority();
}

} // namespace troupe
