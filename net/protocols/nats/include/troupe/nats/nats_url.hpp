#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/nats/nats_credentials.hpp>

namespace troupe {

/// Where a NATS server is.
struct nats_url {
  std::string host;
  std::uint16_t port = 4222;

  /// Whether it must be reached over TLS.
  bool tls = false;

  /// Whom its certificate must name; empty: `host`.
  std::string tls_name{};

  /// Who we are there, if the URL says so: a user, or a token.
  nats_credentials credentials{};

  /// Reads `nats://host:4222`, `tls://user:password@host`, `nats://token@host`, `host:4222`, `host`, or
  /// `[::1]:4222`. User, password and token may be percent-encoded.
  ///
  /// \throws std::invalid_argument if it is none of these; the text has no password
  [[nodiscard]] static nats_url parse(std::string_view text);

  /// Returns "host:4222", for logs; never a password.
  [[nodiscard]] std::string name() const;
};

} // namespace troupe
