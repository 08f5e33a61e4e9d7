#include "tls_engine.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <troupe/net/host_name.hpp>

namespace troupe::detail {

namespace {

bool is_ip_address(const std::string& host) {
  unsigned char ignored[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), ignored) == 1
         || ::inet_pton(AF_INET6, host.c_str(), ignored) == 1;
}

// OpenSSL 3.0 has no words for some alerts of TLS 1.3. Source: RFC 8446, section 6
const char* alert_text(int alert) {
  switch (alert) {
  case SSL_AD_MISSING_EXTENSION:
    return "missing extension";
  case SSL_AD_CERTIFICATE_REQUIRED:
    return "certificate required";
  default:
    return SSL_alert_desc_string_long(alert);
  }
}

std::string subject_of(X509* certificate) {
  openssl_ptr<BIO> out{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

std::string purpose_of(X509* certificate) {
  std::string text;
  for (const auto& name : names_of(*certificate))
    text += (text.empty() ? "is for " : ", ") + name;
  return !text.empty()
           ? text
           : "names no host (its subject does not count: " + subject_of(certificate) + ')';
}

} // namespace

tls_engine::tls_engine(std::shared_ptr<const tls_settings> settings, std::vector<std::byte>& sink,
                       const std::string& host, const std::string& destination)
  : settings_(std::move(settings)), sink_(sink), ssl_(SSL_new(settings_->context.get())) {
  auto* const bio = ssl_ ? BIO_new(bio_method()) : nullptr;
  if (bio == nullptr)
    throw std::bad_alloc{};
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_msg_callback(ssl_.get(), &note_record);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  if (settings_->server)
    SSL_set_accept_state(ssl_.get());
  else
    be_client(host, destination);
}

tls_engine::~tls_engine() = default;

void tls_engine::be_client(const std::string& host, const std::string& destination) {
  SSL_set_connect_state(ssl_.get());
  wanted_ = settings_->server_name.empty() ? host : settings_->server_name;
  if (auto ascii = ascii_host_name(wanted_))
    wanted_ = *std::move(ascii);
  else
    reason_ = ascii.error();
  if (wanted_.ends_with('.')) // the root of all names, which certificates leave out
    wanted_.pop_back();
  destination_ = wanted_ + ' ' + (destination.empty() ? host : destination);
  const bool ip = is_ip_address(wanted_);
  auto* const rules = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
                                           | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  bool good = true;
  if (settings_->verify)
    good = !wanted_.empty()
           && (ip ? X509_VERIFY_PARAM_set1_ip_asc(rules, wanted_.c_str())
                  : X509_VERIFY_PARAM_set1_host(rules, wanted_.c_str(), wanted_.size()))
                == 1;
  if (!ip && !wanted_.empty()) // SNI has no addresses
    good = SSL_set_tlsext_host_name(ssl_.get(), wanted_.c_str()) == 1 && good;
  if (!good && !reason_) {
    ERR_clear_error();
    reason_ = failure{errc::invalid_argument, "\"" + wanted_ + "\" cannot be the name of a host"};
  }
  if (settings_->sessions)
    if (const auto session = settings_->sessions->take(destination_))
      SSL_set_session(ssl_.get(), session.get());
}

// -- the state machine --------------------------------------------------------------------------

void tls_engine::feed(bytes_view data) noexcept {
  input_ = data;
}

bool tls_engine::holds_input() const noexcept {
  return !input_.empty() || SSL_has_pending(ssl_.get()) == 1;
}

tls_engine::outcome tls_engine::handshake() {
  if (reason_)
    return outcome::failed;
  const auto before = input_.size();
  ERR_clear_error();
  const auto result = outcome_of(SSL_do_handshake(ssl_.get()));
  handshake_bytes_ += static_cast<std::uint32_t>(before - input_.size());
  if (result == outcome::closed) {
    reason_ = failure{errc::tls_failed, "the peer closed the connection during the handshake"};
    return outcome::failed;
  }
  if (result == outcome::wants_input && handshake_bytes_ > handshake_bytes_at_most) {
    reason_ = failure{errc::tls_failed, "the peer's handshake is too long"};
    return outcome::failed;
  }
  return result;
}

tls_engine::outcome tls_engine::read(std::span<std::byte> into, std::size_t& count) {
  count = 0;
  if (reason_)
    return outcome::failed;
  ERR_clear_error();
  const auto result = outcome_of(SSL_read_ex(ssl_.get(), into.data(), into.size(), &count));
  if (result == outcome::ok) {
    proven_ = true;
    empty_records_ -= std::min(empty_records_, 2U); // its own, and one more
  }
  return result;
}

bool tls_engine::write(bytes_view data) {
  if (reason_)
    return false;
  ERR_clear_error();
  std::size_t written = 0;
  if (SSL_write_ex(ssl_.get(), data.data(), data.size(), &written) == 1)
    return true;
  fail();
  return false;
}

void tls_engine::close_notify() {
  if (reason_)
    return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

tls_engine::outcome tls_engine::outcome_of(int result) {
  if (result > 0)
    return outcome::ok;
  switch (SSL_get_error(ssl_.get(), result)) {
  case SSL_ERROR_WANT_READ:
    return outcome::wants_input;
  case SSL_ERROR_ZERO_RETURN:
    return outcome::closed;
  default:
    return fail();
  }
}

tls_engine::outcome tls_engine::fail() {
  const auto error = ERR_peek_error();
  const auto code = ERR_GET_REASON(error);
  const auto text = openssl_reason();
  if (flooded())
    reason_ = failure{errc::tls_failed, "the peer sends records without data"};
  else if (!refusal_.empty())
    reason_ = failure{errc::certificate_refused, refusal_};
  else if (code == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
    reason_ = failure{errc::certificate_refused, "the client showed no certificate"};
  else if (proven_)
    reason_ = failure{errc::connection_lost, text};
  else if (ERR_GET_LIB(error) == ERR_LIB_SSL && code > SSL_AD_REASON_OFFSET)
    reason_ = failure{errc::tls_failed, std::string{"the peer sent the alert \""}
                                          + alert_text(code - SSL_AD_REASON_OFFSET) + '"'};
  else if (code == SSL_R_WRONG_VERSION_NUMBER || code == SSL_R_HTTP_REQUEST)
    reason_ = failure{errc::tls_failed, // that is what plain text looks like
                      text
                        + (SSL_is_server(ssl_.get()) != 0 ? " (does the peer speak TLS?)"
                                                          : " (does that port speak TLS?)")};
  else
    reason_ = failure{errc::tls_failed, text};
  return outcome::failed;
}

void tls_engine::note_record(int written, int, int type, const void*, std::size_t, SSL*,
                             void* engine) {
  auto& self = *static_cast<tls_engine*>(engine);
  if (written == 0 && type == SSL3_RT_HEADER && SSL_is_init_finished(self.ssl_.get()) == 1)
    ++self.empty_records_;
}

int tls_engine::note_verification(int verified, X509_STORE_CTX* about) {
  if (verified == 1)
    return 1;
  auto& self =
    of(static_cast<SSL*>(X509_STORE_CTX_get_ex_data(about, SSL_get_ex_data_X509_STORE_CTX_idx())));
  const int error = X509_STORE_CTX_get_error(about);
  auto* const certificate = X509_STORE_CTX_get_current_cert(about);
  self.refusal_ = X509_verify_cert_error_string(error);
  if (certificate == nullptr)
    return 0;
  if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)
    self.refusal_ +=
      ": wanted " + self.wanted_ + ", and the certificate " + purpose_of(certificate);
  else
    self.refusal_ += " (" + subject_of(certificate) + ')';
  return 0;
}

// -- what OpenSSL takes for its network ---------------------------------------------------------

const BIO_METHOD* tls_engine::bio_method() {
  struct free_method {
    void operator()(BIO_METHOD* m) const noexcept { BIO_meth_free(m); }
  };
  static const std::unique_ptr<BIO_METHOD, free_method> method{[] {
    auto* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "troupe");
    if (m != nullptr) {
      BIO_meth_set_read(m, &bio_read);
      BIO_meth_set_write(m, &bio_write);
      BIO_meth_set_ctrl(m, &bio_control);
    }
    return m;
  }()};
  return method.get();
}

int tls_engine::bio_read(BIO* bio, char* into, int size) {
  auto& self = *static_cast<tls_engine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const auto count = std::min(self.input_.size(), static_cast<std::size_t>(size));
  if (self.flooded())
    return -1; // for good: this ends the connection
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(into, self.input_.data(), count);
  self.input_ = self.input_.subspan(count);
  return static_cast<int>(count);
}

int tls_engine::bio_write(BIO* bio, const char* data, int size) {
  auto& self = *static_cast<tls_engine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const auto* const bytes = reinterpret_cast<const std::byte*>(data);
  try {
    self.sink_.insert(self.sink_.end(), bytes, bytes + size);
  } catch (const std::bad_alloc&) {
    return -1; // which ends this connection
  }
  return size;
}

long tls_engine::bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

} // namespace troupe::detail
