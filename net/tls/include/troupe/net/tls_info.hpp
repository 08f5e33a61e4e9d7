#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st; // OpenSSL's

namespace troupe {

/// A version of TLS. Older ones are broken, and not spoken.
enum class tls_version : std::uint8_t { tls_1_2, tls_1_3 };

/// What a certificate says, as a value of its own.
///
/// Source: twisted.internet.ssl.Certificate
struct tls_certificate {
  std::string subject;            ///< `"CN=chat.example,O=Example"`, as RFC 2253 writes it
  std::string issuer;             ///< the same of who signed it
  std::vector<std::string> names; ///< the host names and IP addresses it is for (subjectAltName)
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
  std::string der; ///< the certificate itself, in binary

  [[nodiscard]] std::string to_pem() const;
};

/// What the handshake of a connection has settled.
///
/// ```cpp
/// void connection_made() override {
///   if (const auto* tls = transport().tls())
///     log("{} {} for {}", tls->version_name(), tls->cipher(), tls->server_name());
/// }
/// ```
///
/// Thread: that of its connection. Lifetime: that of its connection.
class tls_info {
public:
  explicit tls_info(ssl_st* ssl) noexcept : ssl_(ssl) {}

  [[nodiscard]] tls_version version() const noexcept;
  [[nodiscard]] std::string_view version_name() const noexcept; ///< `"TLSv1.3"`
  [[nodiscard]] std::string_view cipher() const noexcept;       ///< `"TLS_AES_256_GCM_SHA384"`

  /// Returns the protocol that both ends agreed on by ALPN; empty if they did not talk about it.
  [[nodiscard]] std::string_view alpn() const noexcept;

  /// Returns the host name that the client asked for by SNI; empty if it named none.
  [[nodiscard]] std::string_view server_name() const noexcept;

  /// Tells whether the connection went on with the session of an earlier one, and so without
  /// certificates.
  [[nodiscard]] bool resumed() const noexcept;

  /// Returns the certificate of the other end, which has been verified unless the context was told
  /// not to; nothing if it showed none. A resumed session remembers it.
  [[nodiscard]] std::optional<tls_certificate> peer_certificate() const;

private:
  ssl_st* ssl_;
};

} // namespace troupe
