#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/ssl.h>

#include <troupe/net/tls_context.hpp>

#include "support/client.hpp"
#include "support/directory.hpp"

namespace troupe::testing {

/// Makes certificates as files, in a folder that goes with this object: an authority and what it
/// signs.
class authority {
public:
  struct wish {
    std::string name = "test"; // of the files and of the subject
    std::vector<std::string> names = {"localhost", "IP:127.0.0.1"};
    long begins = -3600; // seconds from now
    long ends = 24 * 3600;
    bool self_signed = false;
    bool rsa = false;
    std::string password{};
  };

  explicit authority(const std::string& name = "authority");
  ~authority();
  authority(const authority&) = delete;
  authority& operator=(const authority&) = delete;

  [[nodiscard]] tls_identity issue(const wish& w) const;
  [[nodiscard]] tls_identity issue() const { return issue(wish{}); }
  [[nodiscard]] const std::string& file() const { return file_; } ///< its own certificate

  directory folder;

private:
  std::string file_;
  EVP_PKEY* key_;
  X509* certificate_;
};

/// A plain blocking TLS client of OpenSSL, so that tests do not trust Troupe's own. It waits ten
/// seconds at most for anything, and then throws.
class tls_client {
public:
  struct rules {
    std::string trusted{}; // empty: trusts everybody
    std::string name{};    // to ask for; if something is trusted, to verify too
    std::string alpn{};    // as it is sent
    tls_identity identity{};
    int least = TLS1_2_VERSION;
    int most = TLS1_3_VERSION;
    SSL_SESSION* session = nullptr;
    std::string ciphers{};
  };

  /// Connects and shakes hands; `error()` tells whether it came to nothing.
  tls_client(std::uint16_t port, const rules& r);
  explicit tls_client(std::uint16_t port) : tls_client(port, rules{}) {}

  /// Shakes hands on a connection that there is.
  tls_client(client c, const rules& r);
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  void send(std::string_view data);
  std::string receive(std::size_t size);
  std::string rest(); ///< until the end; see `clean` and `error`
  [[nodiscard]] bool clean() const noexcept { return clean_; }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  void shut_write(); ///< close_notify
  client& socket() noexcept { return socket_; }
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_; }

private:
  void note_error(int result);
  client socket_;
  SSL_CTX* context_;
  SSL* ssl_;
  bool clean_ = false;
  std::string error_;
};

} // namespace troupe::testing
