#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Where a resource is: a URL of the scheme http or https, in parts.
///
/// ```cpp
/// const auto url = troupe::http_url::parse("https://Example.org/a/b?c=d#e");
/// url.host();         // "example.org"
/// url.port();         // 443
/// url.target();       // "/a/b?c=d"
/// url.resolve("../x") // https://example.org/x
/// ```
///
/// Thread: one at a time. Source: RFC 3986, RFC 9110, 4.2
class http_url {
public:
  /// Reads an absolute URL.
  ///
  /// \throws std::invalid_argument if it has another scheme, no host, a user (see
  ///         `http_client_request::basic_auth`), a port that is none, or a byte that a URL cannot have:
  ///         a space, a control character, a backslash, one that is not ASCII behind the host
  [[nodiscard]] static http_url parse(std::string_view text);

  /// Returns what `reference` means to somebody who has read it here: an absolute URL, or one without
  /// scheme, host, or path. Its segments "." and ".." are resolved; the fragment is that of the reference
  /// or, if it has none, of this.
  ///
  /// \throws std::invalid_argument as `parse`
  /// Source: RFC 3986, 5.2; RFC 9110, 10.2.2
  [[nodiscard]] http_url resolve(std::string_view reference) const;

  [[nodiscard]] std::string_view scheme() const noexcept { return secure_ ? "https" : "http"; }
  [[nodiscard]] bool secure() const noexcept { return secure_; }

  /// Returns the host in small letters and in ASCII (`ascii_host_name`); an address of IPv6 without its
  /// brackets.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }

  /// Returns the port: 80 or 443 if the URL has none.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// Returns the path and the query, as they are sent; at least "/".
  [[nodiscard]] const std::string& target() const noexcept { return target_; }
  [[nodiscard]] std::string_view path() const noexcept {
    return std::string_view{target_}.substr(0, target_.find('?'));
  }
  [[nodiscard]] const std::string& fragment() const noexcept { return fragment_; }

  /// Returns the host, with a port if that is not the scheme's own: what the field Host has.
  [[nodiscard]] std::string authority() const;

  /// Returns scheme and authority, such as "https://example.org".
  [[nodiscard]] std::string origin() const;

  /// Returns all of it but the fragment.
  [[nodiscard]] std::string text() const { return origin() + target_; }

private:
  http_url() = default;

  bool secure_ = false;
  std::uint16_t port_ = 80;
  std::string host_;
  std::string target_;
  std::string fragment_;
};

} // namespace troupe
