#include <troupe/websocket/websocket_acceptor.hpp>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/http/http_text.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/websocket/websocket_handshake.hpp>

#include "accepted_websocket.hpp"
#include "permessage_deflate.hpp"
#include "websocket_origin.hpp"

namespace troupe {

namespace {

// Returns the only value of a field; nothing if there is none, or another one.
std::optional<std::string_view> only(const http_request& r, std::string_view name) {
  std::optional<std::string_view> value;
  std::size_t count = 0;
  r.fields().each(name, [&](std::string_view v) {
    value = v;
    ++count;
  });
  return count == 1 ? value : std::nullopt;
}

http_response refused(const http_request& r, int status, std::string why) {
  if (r.connected()) {
    const auto& who = r.actor();
    if (auto& log = who.loop().scheduler().logger(); log.should_log(spdlog::level::debug))
      log.debug("[{}] no WebSocket: {}", who.log_name(), why);
  }
  return http_response{status, std::move(why) += '\n'};
}

struct choice {
  std::string subprotocol;
  const char* wrong = nullptr;
};

choice choose(const http_request& r, const websocket_server_options& o) {
  const auto offered = r.fields().joined("Sec-WebSocket-Protocol");
  std::vector<std::string_view> names;
  std::string_view rest = offered;
  for (std::string_view name; next_http_element(rest, name);) {
    if (!is_http_token(name))
      return {{}, "The name of a subprotocol is no token."};
    if (names.size() == 100 || std::ranges::find(names, name) != names.end())
      return {{}, "A subprotocol is offered twice, or there are too many."};
    names.push_back(name);
  }
  for (const auto& ours : o.socket.subprotocols)
    if (std::ranges::find(names, ours) != names.end())
      return {ours, nullptr};
  if (o.needs_subprotocol)
    return {{}, "None of the subprotocols is spoken here."};
  return {};
}

} // namespace

websocket_acceptor::websocket_acceptor(websocket_server_options options)
  : options_(std::make_shared<const websocket_server_options>(std::move(options))) {
  for (const auto& name : options_->socket.subprotocols)
    if (!is_http_token(name))
      throw std::invalid_argument("websocket_acceptor: the name of a subprotocol is no token: \""
                                  + name + '"');
  for (const auto& origin : options_->origins)
    if (origin != "*" && origin != "null" && detail::normal_origin(origin).empty())
      throw std::invalid_argument("websocket_acceptor: no origin: \"" + origin + '"');
}

http_response websocket_acceptor::accept(const http_request& r,
                                         builder<websocket_protocol> make) const {
  if (!r.connected())
    return http_response{400};                          // nobody reads it
  const bool in_stream = r.head().major_version() == 2; // RFC 8441, which does without the key
  if (r.method() != "GET" || (!in_stream && r.head().minor_version() < 1) || r.head().has_body())
    return refused(r, 400, "A WebSocket begins with a GET of HTTP/1.1 without a body.");
  if (!r.head().offers_upgrade() || !http_list_has(r.fields().joined("Upgrade"), "websocket"))
    return refused(r, 400, "This is for WebSockets: the request offers none.");
  if (const auto version = only(r, "Sec-WebSocket-Version"); !version || *version != "13")
    return refused(r, 426, "Version 13 of WebSocket is spoken here.")
      .add("Sec-WebSocket-Version", "13");
  const auto key = only(r, "Sec-WebSocket-Key");
  const auto answer = key ? websocket_accept_key(*key) : std::string{};
  if (answer.empty() && !in_stream)
    return refused(r, 400, "Sec-WebSocket-Key is not one field of 16 bytes in base 64.");
  if (r.field("Origin")) {
    const auto origin = only(r, "Origin");
    if (!origin
        || !detail::is_origin_allowed(*origin, r.tls() != nullptr, r.head().host(),
                                      options_->origins))
      return refused(r, 403, "Pages of that origin may not connect.");
  }
  auto chosen = choose(r, *options_);
  if (chosen.wrong != nullptr)
    return refused(r, 400, chosen.wrong);
  std::optional<detail::deflate_terms> deflate;
  if (options_->socket.deflate)
    deflate = detail::choose_deflate(r.fields().joined("Sec-WebSocket-Extensions"));
  auto response = http_response::upgrade(
    "websocket",
    std::make_unique<detail::accepted_websocket>(
      r.actor(), std::move(make),
      std::shared_ptr<const websocket_options>{options_, &options_->socket}, chosen.subprotocol,
      deflate ? std::optional{deflate->window_bits} : std::nullopt));
  if (!in_stream)
    response.add("Sec-WebSocket-Accept", answer);
  if (!chosen.subprotocol.empty())
    response.add("Sec-WebSocket-Protocol", chosen.subprotocol);
  if (deflate)
    response.add("Sec-WebSocket-Extensions", deflate->answer);
  return response;
}

http_handler websocket_acceptor::handler(builder<websocket_protocol> make) const {
  return [self = *this, make = std::move(make)](http_request r) -> http_reply {
    return self.accept(r, make);
  };
}

} // namespace troupe
