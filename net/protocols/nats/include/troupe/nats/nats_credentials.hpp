#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <troupe/nats/nkey.hpp>

namespace troupe {

/// A name and a password.
struct nats_user {
  std::string name;
  std::string password;
};

/// A token that all clients share.
struct nats_token {
  std::string token;
};

/// A file of credentials, as `nsc` writes them: the user's JWT, and the seed of the key that signs for it. It is
/// read for each connection, in a thread of the runtime's pool, so that renewed credentials count.
struct nats_creds_file {
  std::string path;
};

/// Who a client is: nobody (or whom its TLS certificate names); a user; a token; a key, whose public part the
/// server knows; or a file.
using nats_credentials = std::variant<std::monostate, nats_user, nats_token, nkey, nats_creds_file>;

/// What is in a file of credentials.
struct nats_creds {
  std::string jwt;
  nkey key;

  /// Reads the text of such a file.
  ///
  /// \throws nats_credentials_error if a part is missing or wrong
  [[nodiscard]] static nats_creds parse(std::string_view text);

  /// Reads a file, of 64 KiB at most. It blocks.
  ///
  /// \throws nats_credentials_error, whose text begins with `path`
  [[nodiscard]] static nats_creds read(const std::string& path);
};

} // namespace troupe
