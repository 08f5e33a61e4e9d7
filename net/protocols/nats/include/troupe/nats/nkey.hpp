#pragma once

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe {

/// Reports a text that is no NKEY seed, or no file of credentials; says why, and nothing of the secret.
class nats_credentials_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A pair of Ed25519 keys, as NATS writes them: the public one stands in the server's configuration, the seed is
/// the secret from which both come.
///
/// The seed is wiped when this ends. Thread: any, as a value. Source: github.com/nats-io/nkeys
class nkey {
public:
  /// Whom the keys are of; `op` is the operator.
  enum class kind : std::uint8_t { user, account, op, server, cluster };

  /// Makes new keys.
  ///
  /// \throws std::runtime_error if the system gives no random bytes
  [[nodiscard]] static nkey create(kind k);

  /// \param seed  such as "SUAB...": 58 characters
  /// \throws nats_credentials_error if it is none
  explicit nkey(std::string_view seed);
  ~nkey();
  nkey(const nkey&) = default;
  nkey& operator=(const nkey&) = default;

  /// Returns the public key, such as "UAB...": 56 characters.
  [[nodiscard]] std::string public_key() const;

  /// Returns the secret.
  [[nodiscard]] std::string seed() const;

  /// Returns the signature of `text`: 64 bytes.
  [[nodiscard]] std::string sign(std::string_view text) const;

private:
  nkey(kind k, const std::array<std::uint8_t, 32>& secret) : kind_(k), secret_(secret) {}

  kind kind_ = kind::user;
  std::array<std::uint8_t, 32> secret_{};
};

} // namespace troupe
