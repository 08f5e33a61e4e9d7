#include <troupe/http/http_auth.hpp>

#include <stdexcept>

#include <openssl/crypto.h>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/detail/base64.hpp>

namespace troupe {

namespace {

// Returns what is behind the name of the scheme, if that is the one.
std::optional<std::string_view> credentials(const http_fields& fields, std::string_view scheme) {
  const auto value = fields.find("Authorization");
  if (!value)
    return {};
  const auto name = value->substr(0, value->find(' '));
  if (!equal_without_case(name, scheme) || name.size() == value->size())
    return {};
  return trim_http(value->substr(name.size()));
}

std::string challenge(std::string_view scheme, std::string_view realm) {
  if (!is_http_field_value(realm))
    throw std::invalid_argument("the realm has a control character");
  auto text = std::string{scheme} + " realm=\"";
  for (const char c : realm) {
    if (c == '"' || c == '\\')
      text += '\\';
    text += c;
  }
  return text + '"';
}

http_response refused(const std::string& challenge) {
  return http_response{401, "Unauthorized\n"}.set("WWW-Authenticate", challenge);
}

// Goes on with `inner` once it is known that the client may.
http_reply let_through(deferred<bool> known, http_request r, const http_handler& inner,
                       const std::string& challenge) {
  if (known.ready()) {
    auto good = std::move(known).take();
    if (!good)
      return fail<http_response>(good.error());
    return *good ? inner(std::move(r)) : http_reply{refused(challenge)};
  }
  return std::move(known).add_callback(
    [r = std::move(r), inner, challenge](bool good) mutable -> deferred<http_response> {
      if (!good)
        return succeed(refused(challenge));
      return inner(std::move(r)).as_deferred();
    });
}

} // namespace

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<std::pair<std::string, std::string>> basic_credentials(const http_fields& fields) {
  const auto text = credentials(fields, "Basic");
  if (!text)
    return {};
  const auto both = detail::from_base64(*text);
  if (!both)
    return {};
  const auto colon = both->find(':');
  if (colon == std::string::npos)
    return {};
  return std::pair{both->substr(0, colon), both->substr(colon + 1)};
}

std::optional<std::string_view> bearer_token(const http_fields& fields) {
  const auto token = credentials(fields, "Bearer");
  return token && !token->empty() ? token : std::nullopt;
}

http_handler
require_basic(std::string_view realm,
              std::function<deferred<bool>(std::string user, std::string password)> check,
              http_handler inner) {
  return [challenge = challenge("Basic", realm) + ", charset=\"UTF-8\"", check = std::move(check),
          inner = std::move(inner)](http_request r) -> http_reply {
    auto who = basic_credentials(r.fields());
    if (!who)
      return refused(challenge);
    auto known = check(std::move(who->first), std::move(who->second));
    return let_through(std::move(known), std::move(r), inner, challenge);
  };
}

http_handler require_bearer(std::string_view realm,
                            std::function<deferred<bool>(std::string token)> check,
                            http_handler inner) {
  return [challenge = challenge("Bearer", realm), check = std::move(check),
          inner = std::move(inner)](http_request r) -> http_reply {
    const auto token = bearer_token(r.fields());
    if (!token)
      return refused(challenge);
    auto known = check(std::string{*token});
    return let_through(std::move(known), std::move(r), inner, challenge);
  };
}

} // namespace troupe
