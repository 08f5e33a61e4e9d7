#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/net/tls_info.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

namespace detail {
struct tls_settings;
}

/// Reports that a TLS context cannot be made: which file is at fault, and why.
///
/// The text is complete: `"/etc/chat/key.pem: wrong password"`.
class tls_setup_error : public std::runtime_error {
public:
  tls_setup_error(std::string file, const std::string& reason);

  /// Returns the file; empty if it is not about one.
  [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
  std::string file_;
};

/// Who one is, for the other end: a certificate and its private key, from files.
struct tls_identity {
  /// A file in PEM format: the certificate, and behind it those that lead to the authority.
  std::string certificate_file{};

  /// A file in PEM format with the key; empty: it is in `certificate_file` too.
  std::string key_file{};

  /// What the key is encrypted with, if it is.
  std::string password{};
};

/// What a server asks of its clients.
enum class client_certificates : std::uint8_t {
  none,     ///< it does not ask
  optional, ///< it asks; who shows none is served, who shows one that is not trusted is not
  required, ///< who shows no trusted one is not served
};

/// What a TLS server is made of.
struct tls_server_options {
  /// At least one. Clients that name a host get the first certificate that is for it, as its
  /// subjectAltName says (and one of each kind of key, if several are); all others get the first of
  /// all.
  std::vector<tls_identity> identities{};

  client_certificates clients = client_certificates::none;

  /// The authorities that vouch for clients, in PEM format; empty: those that the system trusts.
  std::string trusted_file{};

  /// The protocols that it speaks, the best first. A client that offers only others is turned away
  /// (RFC 7301); one that does not offer any is served.
  std::vector<std::string> alpn{};

  tls_version minimum = tls_version::tls_1_2;

  /// Lets clients come back without a full handshake. The tickets are sealed with a key that this
  /// context makes up and never tells, so they are good for this context's life at most.
  bool session_tickets = true;

  /// How long a client may take for the handshake.
  duration handshake_timeout = std::chrono::seconds(30);
};

/// What a TLS client is made of.
struct tls_client_options {
  /// The authorities that vouch for servers, in PEM format; empty: those that the system trusts.
  std::string trusted_file{};

  /// Whether the server must show a certificate that is trusted and for the host that was wanted,
  /// which its subjectAltName must name: a name in its subject (CN) does not count (RFC 9525).
  /// Without, anybody on the way can read and change everything.
  bool verify = true;

  /// Who this client is, if it has to say; an empty `certificate_file` is nobody.
  tls_identity identity{};

  /// The protocols that it speaks, the best first.
  std::vector<std::string> alpn{};

  tls_version minimum = tls_version::tls_1_2;

  /// The host to ask for and to verify, in place of the one that is connected to.
  std::string server_name{};

  /// Whether it remembers sessions, and goes on with them: up to four for each destination, and
  /// for up to 1000 destinations.
  bool resume_sessions = true;

  /// How long the handshake may take. (`connect_ssl` counts it in its time for connecting too.)
  duration handshake_timeout = std::chrono::seconds(30);
};

/// How a server speaks TLS: certificates, authorities and rules.
///
/// It is made once, reads its files then, and does not change. Copies refer to the same one.
///
/// ```cpp
/// const troupe::tls_server_context tls{{.identities = {{"chain.pem", "key.pem"}}}};
/// troupe::listen_ssl(rt, 443, troupe::factory::for_protocol<echo>(), tls);
/// ```
///
/// Thread: any. Source: twisted.internet.ssl.CertificateOptions
class tls_server_context {
public:
  /// \throws tls_setup_error if a file cannot be used, with its name and the reason
  /// \throws std::logic_error if there is no identity, an ALPN name is empty or too long, or
  ///         `handshake_timeout` is negative
  explicit tls_server_context(const tls_server_options& options);

  /// Returns what is odd and not forbidden, such as a certificate that has expired; ports log it.
  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept;

  [[nodiscard]] const std::shared_ptr<const detail::tls_settings>& settings() const noexcept {
    return settings_;
  }

private:
  std::shared_ptr<const detail::tls_settings> settings_;
};

/// How a client speaks TLS, and the sessions that it remembers.
///
/// Connections that share one also share its sessions; so one for each kind of destination, and not
/// one for each connection. Copies refer to the same one.
///
/// Thread: any. Source: twisted.internet.ssl.optionsForClientTLS
class tls_client_context {
public:
  /// \throws tls_setup_error, std::logic_error as that of `tls_server_context`
  explicit tls_client_context(const tls_client_options& options = {});

  [[nodiscard]] const std::vector<std::string>& warnings() const noexcept;

  [[nodiscard]] const std::shared_ptr<const detail::tls_settings>& settings() const noexcept {
    return settings_;
  }

private:
  std::shared_ptr<const detail::tls_settings> settings_;
};

} // namespace troupe
