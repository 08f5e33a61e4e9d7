#include "support/tls.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

namespace troupe::testing {

namespace {

std::string reason() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* const text = ERR_reason_error_string(code);
  return text != nullptr ? text : "nothing";
}

void must(bool good) {
  if (!good)
    throw std::runtime_error("openssl: " + reason());
}

void extend(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  auto* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  must(extension != nullptr);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make(const std::string& name, EVP_PKEY* key, long begins, long ends) {
  static std::atomic<long> serial{1};
  auto* const c = X509_new();
  X509_set_version(c, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
  X509_gmtime_adj(X509_getm_notBefore(c), begins);
  X509_gmtime_adj(X509_getm_notAfter(c), ends);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_pubkey(c, key);
  return c;
}

void write_certificate(const std::string& file, X509* c) {
  auto* const out = BIO_new_file(file.c_str(), "w");
  must(out != nullptr && PEM_write_bio_X509(out, c) == 1);
  BIO_free(out);
}

} // namespace

authority::authority(const std::string& name)
  : file_(folder / "authority.pem"), key_(EVP_EC_gen("P-256")),
    certificate_(make(name, key_, -3600, 48 * 3600)) {
  X509_set_issuer_name(certificate_, X509_get_subject_name(certificate_));
  extend(certificate_, certificate_, NID_basic_constraints, "critical,CA:TRUE");
  must(X509_sign(certificate_, key_, EVP_sha256()) != 0);
  write_certificate(file_, certificate_);
}

authority::~authority() {
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

tls_identity authority::issue(const wish& w) const {
  auto* const key = w.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
  auto* const c = make(w.name, key, w.begins, w.ends);
  X509_set_issuer_name(c, X509_get_subject_name(w.self_signed ? c : certificate_));
  std::string names;
  for (const auto& n : w.names)
    names += (names.empty() ? "" : ",") + (n.starts_with("IP:") ? n : "DNS:" + n);
  if (!names.empty())
    extend(c, w.self_signed ? c : certificate_, NID_subject_alt_name, names);
  must(X509_sign(c, w.self_signed ? key : key_, EVP_sha256()) != 0);
  tls_identity result{folder / w.name + ".pem", folder / w.name + ".key", w.password};
  write_certificate(result.certificate_file, c);
  auto* const out = BIO_new_file(result.key_file.c_str(), "w");
  must(PEM_write_bio_PrivateKey(
         out, key, w.password.empty() ? nullptr : EVP_aes_128_cbc(), nullptr, 0, nullptr,
         w.password.empty() ? nullptr : const_cast<char*>(w.password.c_str()))
       == 1);
  BIO_free(out);
  X509_free(c);
  EVP_PKEY_free(key);
  return result;
}

// -- the client ---------------------------------------------------------------------------------

tls_client::tls_client(std::uint16_t port, const rules& r) : tls_client(client{port}, r) {}

tls_client::tls_client(client c, const rules& r)
  : socket_(std::move(c)), context_(SSL_CTX_new(TLS_client_method())), ssl_(nullptr) {
  std::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without asking for none
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  SSL_CTX_set_security_level(context_, r.most < TLS1_2_VERSION ? 0 : 1);
  SSL_CTX_set_min_proto_version(context_, r.least);
  SSL_CTX_set_max_proto_version(context_, r.most);
  if (!r.ciphers.empty())
    must(SSL_CTX_set_cipher_list(context_, r.ciphers.c_str()) == 1);
  if (!r.trusted.empty()) {
    must(SSL_CTX_load_verify_file(context_, r.trusted.c_str()) == 1);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  }
  if (!r.identity.certificate_file.empty()) {
    must(SSL_CTX_use_certificate_chain_file(context_, r.identity.certificate_file.c_str()) == 1);
    must(SSL_CTX_use_PrivateKey_file(context_, r.identity.key_file.c_str(), SSL_FILETYPE_PEM) == 1);
  }
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket_.fd());
  if (!r.name.empty()) {
    SSL_set_tlsext_host_name(ssl_, r.name.c_str());
    SSL_set1_host(ssl_, r.name.c_str());
  }
  if (!r.alpn.empty())
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(r.alpn.data()),
                        static_cast<unsigned>(r.alpn.size()));
  if (r.session != nullptr)
    SSL_set_session(ssl_, r.session);
  ERR_clear_error();
  const int result = SSL_connect(ssl_);
  if (result != 1)
    note_error(result);
}

tls_client::~tls_client() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void tls_client::note_error(int result) {
  if (SSL_get_error(ssl_, result) == SSL_ERROR_ZERO_RETURN)
    clean_ = true;
  else
    error_ = reason();
}

void tls_client::send(std::string_view data) {
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(ssl_, data.data(), data.size(), &written) != 1)
    throw std::runtime_error("tls_client: send: " + reason());
}

std::string tls_client::receive(std::size_t size) {
  std::string result(size, '\0');
  for (std::size_t got = 0, n = 0; got < size; got += n) {
    ERR_clear_error();
    if (const int r = SSL_read_ex(ssl_, result.data() + got, size - got, &n); r != 1) {
      note_error(r);
      throw std::runtime_error("tls_client: the end came early: " + error_);
    }
  }
  return result;
}

std::string tls_client::rest() {
  std::string result;
  char buffer[16384];
  for (std::size_t n = 0;;) {
    ERR_clear_error();
    if (const int r = SSL_read_ex(ssl_, buffer, sizeof buffer, &n); r != 1) {
      note_error(r);
      return result;
    }
    result.append(buffer, n);
  }
}

void tls_client::shut_write() {
  SSL_shutdown(ssl_);
}

} // namespace troupe::testing
