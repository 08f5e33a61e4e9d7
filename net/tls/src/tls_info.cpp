#include <troupe/net/tls_info.hpp>

#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "tls_settings.hpp"

namespace troupe {

namespace {

std::string text_of(BIO& out) {
  char* text = nullptr;
  const auto size = BIO_get_mem_data(&out, &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string text_of(const X509_NAME* name) {
  const detail::openssl_ptr<BIO> out{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253);
  return text_of(*out);
}

std::chrono::system_clock::time_point time_of(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string_view view_of(const char* text) {
  return text != nullptr ? std::string_view{text} : std::string_view{};
}

} // namespace

std::string tls_certificate::to_pem() const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const detail::openssl_ptr<X509> certificate{
    d2i_X509(nullptr, &bytes, static_cast<long>(der.size()))};
  const detail::openssl_ptr<BIO> out{BIO_new(BIO_s_mem())};
  if (certificate)
    PEM_write_bio_X509(out.get(), certificate.get());
  return text_of(*out);
}

tls_version tls_info::version() const noexcept {
  return SSL_version(ssl_) == TLS1_3_VERSION ? tls_version::tls_1_3 : tls_version::tls_1_2;
}

std::string_view tls_info::version_name() const noexcept {
  return SSL_get_version(ssl_);
}

std::string_view tls_info::cipher() const noexcept {
  return view_of(SSL_get_cipher_name(ssl_));
}

std::string_view tls_info::alpn() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view tls_info::server_name() const noexcept {
  return view_of(SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name));
}

bool tls_info::resumed() const noexcept {
  return SSL_session_reused(ssl_) == 1;
}

std::optional<tls_certificate> tls_info::peer_certificate() const {
  const auto* const certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr)
    return std::nullopt;
  tls_certificate result;
  result.subject = text_of(X509_get_subject_name(certificate));
  result.issuer = text_of(X509_get_issuer_name(certificate));
  result.names = detail::names_of(*certificate);
  result.not_before = time_of(X509_get0_notBefore(certificate));
  result.not_after = time_of(X509_get0_notAfter(certificate));
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  if (size > 0)
    result.der.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return result;
}

} // namespace troupe
