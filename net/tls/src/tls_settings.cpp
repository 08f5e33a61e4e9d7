#include "tls_settings.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "tls_engine.hpp"

namespace troupe::detail {

namespace {

// What a peer may make us read before it is known: certificates, all together. OpenSSL bounds the
// other messages of a handshake to less.
constexpr long certificates_at_most = 64 * 1024;

openssl_ptr<BIO> open_file(const std::string& file) {
  ERR_clear_error();
  errno = 0;
  openssl_ptr<BIO> in{BIO_new_file(file.c_str(), "r")};
  char c;
  // A folder can be opened, and only reading it fails.
  if (!in || (BIO_read(in.get(), &c, 1) <= 0 && errno != 0)) {
    const auto error = errno;
    ERR_clear_error();
    throw tls_setup_error(file, error != 0 ? std::strerror(error) : "it cannot be read");
  }
  BIO_reset(in.get());
  return in;
}

bool no_more_in_file() {
  const auto last = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  if (end)
    ERR_clear_error();
  return end;
}

struct password_request {
  const std::string* password;
  bool asked = false;
};

int give_password(char* into, int size, int, void* request) {
  auto& r = *static_cast<password_request*>(request);
  r.asked = true;
  if (r.password->empty() || r.password->size() > static_cast<std::size_t>(size))
    return -1;
  std::memcpy(into, r.password->data(), r.password->size());
  return static_cast<int>(r.password->size());
}

openssl_ptr<EVP_PKEY> load_key(const std::string& file, const std::string& password) {
  const auto in = open_file(file);
  password_request request{&password};
  openssl_ptr<EVP_PKEY> key{PEM_read_bio_PrivateKey(in.get(), nullptr, &give_password, &request)};
  if (key)
    return key;
  const auto reason = openssl_reason();
  std::string text;
  std::getline(std::ifstream{file}, text, '\0');
  const bool none = text.find("PRIVATE KEY-----") == std::string::npos;
  throw tls_setup_error(file, request.asked && password.empty()
                                ? "the key is encrypted, and no password was given"
                              : request.asked ? "wrong password"
                              : none          ? "it holds no private key"
                                              : "its private key is damaged: " + reason);
}

std::string date_of(const ASN1_TIME* time) {
  openssl_ptr<BIO> out{BIO_new(BIO_s_mem())};
  ASN1_TIME_print(out.get(), time);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

loaded_identity load(const tls_identity& from, std::vector<std::string>& warnings) {
  loaded_identity result;
  const auto in = open_file(from.certificate_file);
  result.certificate.reset(PEM_read_bio_X509_AUX(in.get(), nullptr, nullptr, nullptr));
  if (!result.certificate)
    throw tls_setup_error(from.certificate_file,
                          no_more_in_file() ? "it holds no certificate"
                                            : "its certificate is damaged: " + openssl_reason());
  result.chain.reset(sk_X509_new_null());
  while (auto* const next = PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr))
    sk_X509_push(result.chain.get(), next);
  if (!no_more_in_file())
    throw tls_setup_error(from.certificate_file,
                          "a certificate of its chain is damaged: " + openssl_reason());
  const auto& key_file = from.key_file.empty() ? from.certificate_file : from.key_file;
  result.key = load_key(key_file, from.password);
  if (X509_check_private_key(result.certificate.get(), result.key.get()) != 1) {
    ERR_clear_error();
    throw tls_setup_error(key_file,
                          "the key does not match the certificate in " + from.certificate_file);
  }
  result.names = names_of(*result.certificate);
  const auto* const from_date = X509_get0_notBefore(result.certificate.get());
  const auto* const to_date = X509_get0_notAfter(result.certificate.get());
  if (X509_cmp_current_time(to_date) < 0)
    warnings.push_back(from.certificate_file + ": the certificate expired on " + date_of(to_date));
  if (X509_cmp_current_time(from_date) > 0)
    warnings.push_back(from.certificate_file + ": the certificate is not valid before "
                       + date_of(from_date));
  return result;
}

void use(SSL_CTX& context, const loaded_identity& identity, const std::string& file) {
  ERR_clear_error();
  if (SSL_CTX_use_cert_and_key(&context, identity.certificate.get(), identity.key.get(),
                               identity.chain.get(), 1)
      != 1)
    throw tls_setup_error(file, openssl_reason());
}

void trust(SSL_CTX& context, const std::string& file, bool server) {
  ERR_clear_error();
  if (file.empty()) {
    SSL_CTX_set_default_verify_paths(&context);
    ERR_clear_error(); // a system without certificates trusts nobody
    return;
  }
  open_file(file); // for a better reason than the next one gives
  if (SSL_CTX_load_verify_file(&context, file.c_str()) != 1) {
    ERR_clear_error();
    throw tls_setup_error(file, "it holds no certificate, or a damaged one");
  }
  if (server)
    SSL_CTX_set_client_CA_list(&context, SSL_load_client_CA_file(file.c_str()));
  ERR_clear_error();
}

std::string alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const auto& name : names) {
    if (name.empty() || name.size() > 255)
      throw std::logic_error("tls: an ALPN name has 1 to 255 bytes");
    wire += static_cast<char>(name.size());
    wire += name;
  }
  return wire;
}

openssl_ptr<SSL_CTX> make_context(const SSL_METHOD* method, tls_version minimum) {
  openssl_ptr<SSL_CTX> context{SSL_CTX_new(method)};
  if (!context)
    throw tls_setup_error({}, openssl_reason());
  SSL_CTX_set_min_proto_version(context.get(),
                                minimum == tls_version::tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION
                                       | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection gives back its two buffers of 16 KiB.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_max_cert_list(context.get(), certificates_at_most);
  return context;
}

const tls_settings& settings_of(SSL* ssl) {
  return tls_engine::of(ssl).settings();
}

int select_alpn(SSL* ssl, const unsigned char** out, unsigned char* out_size,
                const unsigned char* in, unsigned int in_size, void*) {
  const auto& ours = settings_of(ssl).alpn;
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned>(ours.size()), in, in_size)
      != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int name_seen(SSL*, int*, void*) {
  return SSL_TLSEXT_ERR_OK; // whatever the name, somebody is served
}

// Called when a certificate is needed: puts those in place that are for the host that was named.
int choose_identity(SSL* ssl, void*) {
  const char* const asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (asked == nullptr)
    return 1;
  const std::string host = asked;
  bool first = true;
  for (const auto& identity : settings_of(ssl).identities) {
    if (std::none_of(identity.names.begin(), identity.names.end(),
                     [&](const auto& name) { return name_matches(name, host); }))
      continue;
    if (std::exchange(first, false))
      SSL_certs_clear(ssl);
    // The first of a kind of key stays: without the flag, this does not replace it.
    SSL_use_cert_and_key(ssl, identity.certificate.get(), identity.key.get(), identity.chain.get(),
                         0);
    ERR_clear_error();
  }
  return 1;
}

int remember_session(SSL* ssl, SSL_SESSION* session) {
  const auto& engine = tls_engine::of(ssl);
  engine.settings().sessions->put(engine.destination(), openssl_ptr<SSL_SESSION>{session});
  return 1; // the reference is ours now
}

} // namespace

// -- small things -------------------------------------------------------------------------------

std::string openssl_reason() {
  const auto code = ERR_get_error();
  ERR_clear_error();
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "unknown error " + std::to_string(code);
}

std::vector<std::string> names_of(const X509& certificate) {
  std::vector<std::string> result;
  auto* const all = static_cast<GENERAL_NAMES*>(
    X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(all); ++i) {
    const auto* const name = sk_GENERAL_NAME_value(all, i);
    if (name->type == GEN_DNS) {
      result.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN] = {};
      const int size = ASN1_STRING_length(name->d.iPAddress);
      if (size == 4 || size == 16)
        ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text,
                    sizeof text);
      result.emplace_back(text);
    }
  }
  sk_GENERAL_NAME_pop_free(all, GENERAL_NAME_free);
  return result;
}

bool name_matches(const std::string& name, const std::string& host) {
  const auto same = [](std::string_view a, std::string_view b) {
    return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
  };
  if (same(name, host))
    return true;
  const auto dot = host.find('.');
  return name.starts_with("*.") && dot != std::string::npos && dot > 0
         && same(std::string_view{name}.substr(1), std::string_view{host}.substr(dot));
}

void tls_session_cache::put(const std::string& destination, openssl_ptr<SSL_SESSION> session) {
  const std::lock_guard hold{mutex_};
  if (!sessions_.contains(destination) && sessions_.size() == destinations_at_most)
    sessions_.erase(sessions_.begin());
  auto& kept = sessions_[destination];
  kept.push_back(std::move(session));
  if (kept.size() > each_at_most)
    kept.pop_front();
}

openssl_ptr<SSL_SESSION> tls_session_cache::take(const std::string& destination) {
  const std::lock_guard hold{mutex_};
  const auto found = sessions_.find(destination);
  if (found == sessions_.end())
    return nullptr;
  auto latest = std::move(found->second.back());
  found->second.pop_back();
  if (found->second.empty())
    sessions_.erase(found);
  return latest;
}

// -- contexts -----------------------------------------------------------------------------------

namespace {

duration checked(duration handshake_timeout) {
  if (handshake_timeout < duration::zero())
    throw std::invalid_argument("tls: the handshake_timeout is negative");
  return handshake_timeout;
}

} // namespace

std::shared_ptr<const tls_settings> make_server_settings(const tls_server_options& options) {
  if (options.identities.empty())
    throw std::logic_error("tls: a server needs an identity");
  auto s = std::make_shared<tls_settings>();
  s->server = true;
  s->verify = options.clients != client_certificates::none;
  s->handshake_timeout = checked(options.handshake_timeout);
  s->alpn = alpn_wire(options.alpn);
  s->context = make_context(TLS_server_method(), options.minimum);
  auto& context = *s->context;
  for (const auto& identity : options.identities)
    s->identities.push_back(load(identity, s->warnings));
  use(context, s->identities.front(), options.identities.front().certificate_file);
  SSL_CTX_set_tlsext_servername_callback(&context, &name_seen);
  if (s->identities.size() > 1)
    SSL_CTX_set_cert_cb(&context, &choose_identity, nullptr);
  else
    s->identities.clear();
  if (s->verify) {
    trust(context, options.trusted_file, true);
    SSL_CTX_set_verify(&context,
                       options.clients == client_certificates::required
                         ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                         : SSL_VERIFY_PEER,
                       &tls_engine::note_verification);
  }
  if (!s->alpn.empty())
    SSL_CTX_set_alpn_select_cb(&context, &select_alpn, nullptr);
  // Sessions are in the tickets: nothing that clients could fill.
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  if (!options.session_tickets) {
    SSL_CTX_set_options(&context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(&context, 0);
  }
  unsigned char own[16]; // a ticket of another context is of no use here, whatever its rules
  RAND_bytes(own, sizeof own);
  SSL_CTX_set_session_id_context(&context, own, sizeof own);
  return s;
}

std::shared_ptr<const tls_settings> make_client_settings(const tls_client_options& options) {
  auto s = std::make_shared<tls_settings>();
  s->verify = options.verify;
  s->handshake_timeout = checked(options.handshake_timeout);
  s->alpn = alpn_wire(options.alpn);
  s->server_name = options.server_name;
  s->context = make_context(TLS_client_method(), options.minimum);
  auto& context = *s->context;
  if (!options.identity.certificate_file.empty())
    use(context, load(options.identity, s->warnings), options.identity.certificate_file);
  if (s->verify) {
    trust(context, options.trusted_file, false);
    SSL_CTX_set_verify(&context, SSL_VERIFY_PEER, &tls_engine::note_verification);
  }
  if (!s->alpn.empty())
    SSL_CTX_set_alpn_protos(&context, reinterpret_cast<const unsigned char*>(s->alpn.data()),
                            static_cast<unsigned>(s->alpn.size()));
  SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_OFF);
  if (options.resume_sessions) {
    s->sessions = std::make_unique<tls_session_cache>();
    SSL_CTX_set_session_cache_mode(&context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(&context, &remember_session);
  }
  return s;
}

} // namespace troupe::detail
