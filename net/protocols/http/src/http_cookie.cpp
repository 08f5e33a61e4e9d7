#include <troupe/http/http_cookie.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/detail/base64.hpp>

namespace troupe {

namespace {

constexpr std::size_t most_cookies = 180;
constexpr std::size_t longest_cookie = 4096;

// The bytes of a value: no control, space, quotation mark, comma, semicolon or backslash.
bool is_cookie_value(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7f || c == '"' || c == ',' || c == ';' || c == '\\')
      return false;
  }
  return true;
}

std::string mac(std::string_view key, std::string_view name, std::string_view value) {
  const auto text = std::string{name} + '=' + std::string{value};
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size)
      == nullptr)
    throw std::runtime_error("cookie_signer: HMAC failed");
  return detail::to_base64_url({reinterpret_cast<const char*>(digest.data()), size});
}

} // namespace

std::string http_cookie::to_string() const {
  if (!is_http_token(name))
    throw std::invalid_argument("http_cookie: the name is no token");
  if (!is_cookie_value(value))
    throw std::invalid_argument("http_cookie: the value has a byte that it may not have");
  for (const std::string_view part : {std::string_view{path}, std::string_view{domain}})
    if (!is_http_field_value(part) || part.find(';') != std::string_view::npos)
      throw std::invalid_argument(
        "http_cookie: the path or domain has a byte that it may not have");
  if (same_site == site::none && !secure)
    throw std::invalid_argument("http_cookie: SameSite=None needs Secure");
  auto text = name + '=' + value;
  if (!path.empty())
    text += "; Path=" + path;
  if (!domain.empty())
    text += "; Domain=" + domain;
  if (max_age)
    text += "; Max-Age=" + std::to_string(max_age->count());
  if (secure)
    text += "; Secure";
  if (http_only)
    text += "; HttpOnly";
  text += same_site == site::lax      ? "; SameSite=Lax"
          : same_site == site::strict ? "; SameSite=Strict"
                                      : "; SameSite=None";
  return text;
}

std::optional<std::string_view> find_cookie(const http_fields& fields, std::string_view name) {
  std::optional<std::string_view> found;
  std::size_t seen = 0;
  fields.each("Cookie", [&](std::string_view list) {
    while (!list.empty() && !found && ++seen <= most_cookies) {
      auto one = list.substr(0, list.find(';'));
      list.remove_prefix(std::min(list.size(), one.size() + 1));
      while (!one.empty() && (one.front() == ' ' || one.front() == '\t'))
        one.remove_prefix(1);
      const auto equals = one.find('=');
      if (equals != std::string_view::npos && one.size() <= longest_cookie
          && one.substr(0, equals) == name)
        found = one.substr(equals + 1);
    }
  });
  return found;
}

cookie_signer::cookie_signer(std::vector<std::string> keys) : keys_(std::move(keys)) {
  if (keys_.empty())
    throw std::invalid_argument("cookie_signer: there is no key");
  for (const auto& key : keys_)
    if (key.size() < 16)
      throw std::invalid_argument("cookie_signer: a key is shorter than 16 bytes");
}

std::string cookie_signer::sign(std::string_view name, std::string_view value) const {
  return std::string{value} + '.' + mac(keys_.front(), name, value);
}

std::optional<std::string> cookie_signer::verify(std::string_view name,
                                                 std::string_view text) const {
  const auto dot = text.rfind('.');
  if (dot == std::string_view::npos)
    return {};
  const auto value = text.substr(0, dot);
  const auto signature = text.substr(dot + 1);
  for (const auto& key : keys_) {
    const auto expected = mac(key, name, value);
    if (expected.size() == signature.size()
        && CRYPTO_memcmp(expected.data(), signature.data(), expected.size()) == 0)
      return std::string{value};
  }
  return {};
}

} // namespace troupe
