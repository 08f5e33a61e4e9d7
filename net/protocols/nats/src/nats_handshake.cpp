#include "nats_handshake.hpp"

#include <algorithm>
#include <cctype>

#include <nlohmann/json.hpp>

#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/detail/base64.hpp>
#include <troupe/runtime/logger.hpp>

namespace troupe::detail {

namespace {

// The texts of servers differ in capitals between versions.
std::string small(std::string_view text) {
  std::string out{text.substr(0, 512)};
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

bool has(const std::string& text, std::string_view part) noexcept {
  return text.find(part) != std::string::npos;
}

} // namespace

std::string connect_line(const nats_server_info& server, const nats_options& options,
                         const nats_credentials& who, const std::optional<nats_creds>& creds,
                         bool tls) {
  nlohmann::json said{{"verbose", false},
                      {"pedantic", false},
                      {"lang", "cpp-troupe"},
                      {"version", "0.1"},
                      {"protocol", 1},
                      {"echo", options.echo},
                      {"tls_required", tls},
                      {"headers", server.headers},
                      {"no_responders", server.headers}};
  if (!options.name.empty())
    said["name"] = options.name;
  if (const auto* const user = std::get_if<nats_user>(&who)) {
    said["user"] = user->name;
    said["pass"] = user->password;
  } else if (const auto* const token = std::get_if<nats_token>(&who)) {
    said["auth_token"] = token->token;
  } else if (const auto* const key = std::get_if<nkey>(&who)) {
    said["nkey"] = key->public_key();
    said["sig"] = detail::to_base64_url(key->sign(server.nonce));
  } else if (creds) {
    said["jwt"] = creds->jwt;
    if (!server.nonce.empty())
      said["sig"] = detail::to_base64_url(creds->key.sign(server.nonce));
  }
  return "CONNECT " + said.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

failure failure_of(std::string_view complaint) {
  const auto text = small(complaint);
  auto code = nats_errc::server_error;
  if (has(text, "permissions violation"))
    code = nats_errc::permissions_violation;
  else if (has(text, "authorization") || has(text, "authentication") || has(text, "account"))
    code = nats_errc::authorization_violation;
  else if (has(text, "slow consumer"))
    code = nats_errc::slow_consumer;
  else if (has(text, "stale connection"))
    code = nats_errc::stale_connection;
  return {make_error_code(code), escape_text(complaint, 512)};
}

bool ends_connection(std::string_view complaint) noexcept {
  const auto text = small(complaint);
  return !has(text, "permissions violation") && !has(text, "invalid subject")
         && !has(text, "invalid publish subject");
}

std::optional<std::string> refused_subscription(std::string_view complaint) {
  static constexpr std::string_view begin = "permissions violation for subscription to \"";
  if (!small(complaint).starts_with(begin))
    return std::nullopt;
  complaint.remove_prefix(begin.size());
  const auto end = complaint.find('"');
  return end == std::string_view::npos ? std::nullopt
                                       : std::optional<std::string>{complaint.substr(0, end)};
}

} // namespace troupe::detail
