#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_request.hpp>

namespace troupe {

/// A cookie as a server sets it: `response.add("Set-Cookie", http_cookie{"lang", "en"}.to_string())`.
/// Source: RFC 6265
struct http_cookie {
  enum class site : std::uint8_t { lax, strict, none };

  std::string name;
  std::string value;
  std::string path = "/";
  std::string domain{};                          // empty: this host alone
  std::optional<std::chrono::seconds> max_age{}; // none: until the browser ends; 0 deletes it
  bool secure = false;
  bool http_only = true;
  site same_site = site::lax; // none needs `secure`

  /// Returns it as the value of Set-Cookie.
  ///
  /// \throws std::invalid_argument if a part has bytes that it may not have
  [[nodiscard]] std::string to_string() const;
};

/// Returns the value of a cookie that the client has sent, of the first of that name; nothing if there
/// is none. At most 180 cookies are looked at.
[[nodiscard]] std::optional<std::string_view> find_cookie(const http_fields& fields,
                                                          std::string_view name);

/// Signs values that clients keep, so that they cannot make or change them; they can read them, and send
/// old ones.
///
/// Thread: any; it does not change.
class cookie_signer {
public:
  /// \param keys  secrets of at least 16 bytes; the first signs, all of them verify, so that keys can
  ///              be replaced one after the other
  /// \throws std::invalid_argument if there is none, or one is shorter
  explicit cookie_signer(std::vector<std::string> keys);

  /// Returns the value with its signature behind a dot: HMAC-SHA256 of the name and the value.
  [[nodiscard]] std::string sign(std::string_view name, std::string_view value) const;

  /// Returns the value that was signed under this name, or nothing.
  [[nodiscard]] std::optional<std::string> verify(std::string_view name,
                                                  std::string_view text) const;

private:
  std::vector<std::string> keys_;
};

} // namespace troupe
