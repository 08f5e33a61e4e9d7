#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include <troupe/net/tls_context.hpp>

namespace troupe::detail {

/// Frees what OpenSSL made.
struct openssl_delete {
  void operator()(SSL_CTX* p) const noexcept { SSL_CTX_free(p); }
  void operator()(SSL* p) const noexcept { SSL_free(p); }
  void operator()(SSL_SESSION* p) const noexcept { SSL_SESSION_free(p); }
  void operator()(X509* p) const noexcept { X509_free(p); }
  void operator()(EVP_PKEY* p) const noexcept { EVP_PKEY_free(p); }
  void operator()(BIO* p) const noexcept { BIO_free_all(p); }
  void operator()(STACK_OF(X509) * p) const noexcept { sk_X509_pop_free(p, X509_free); }
};
template <class T>
using openssl_ptr = std::unique_ptr<T, openssl_delete>;

/// The sessions that a client remembers, by destination.
///
/// A ticket is used once (RFC 8446, C.4), so that connections cannot be told to be of one client.
/// Thread: any.
class tls_session_cache {
public:
  void put(const std::string& destination, openssl_ptr<SSL_SESSION> session);
  openssl_ptr<SSL_SESSION> take(const std::string& destination);

private:
  static constexpr std::size_t each_at_most = 4;
  static constexpr std::size_t destinations_at_most = 1000;

  std::mutex mutex_;
  std::map<std::string, std::deque<openssl_ptr<SSL_SESSION>>> sessions_; // the latest last
};

/// A certificate that was read, its key, and the names that it is for.
struct loaded_identity {
  openssl_ptr<X509> certificate;
  openssl_ptr<EVP_PKEY> key;
  openssl_ptr<STACK_OF(X509)> chain;
  std::vector<std::string> names;
};

/// What a context stands for. It does not change, but for the cache of sessions.
struct tls_settings {
  bool server = false;
  bool verify = false; // the other end must be, or may be, authenticated
  openssl_ptr<SSL_CTX> context;
  duration handshake_timeout{};
  std::vector<std::string> warnings;
  std::string alpn;                        // as it is sent: each with its length in front
  std::vector<loaded_identity> identities; // of a server that has several
  std::string server_name;
  std::unique_ptr<tls_session_cache> sessions;
};

std::shared_ptr<const tls_settings> make_server_settings(const tls_server_options& options);
std::shared_ptr<const tls_settings> make_client_settings(const tls_client_options& options);

/// Returns the host names and addresses that `certificate` is for: its subjectAltName, and nothing
/// that its subject says. Source: RFC 9525, section 6.1
std::vector<std::string> names_of(const X509& certificate);

/// Tells whether a certificate for `name`, perhaps with a wildcard, is one for `host`.
bool name_matches(const std::string& name, const std::string& host);

/// Returns what OpenSSL says about the first error in this thread's queue, and empties that.
std::string openssl_reason();

} // namespace troupe::detail
