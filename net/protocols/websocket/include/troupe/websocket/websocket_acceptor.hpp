#pragma once

#include <memory>
#include <string>
#include <vector>

#include <troupe/http/http_request.hpp>
#include <troupe/http/http_response.hpp>
#include <troupe/net/builder.hpp>
#include <troupe/websocket/websocket_options.hpp>
#include <troupe/websocket/websocket_protocol.hpp>

namespace troupe {

/// How a server takes WebSockets.
struct websocket_server_options {
  websocket_options socket{};

  /// Whose pages may connect beside those of this server itself, as browsers say it:
  /// "https://example.org", "http://localhost:8080", "null", or "*" for those of all. A server behind a proxy
  /// that speaks TLS for it names its own origin here.
  ///
  /// A request without the field Origin comes from no page, and is let in.
  std::vector<std::string> origins{};

  /// Refuses with 400 who offers none of `socket.subprotocols`.
  bool needs_subprotocol = false;
};

/// Takes WebSockets where an HTTP server would answer a request.
///
/// ```cpp
/// const troupe::websocket_acceptor sockets;
/// site.get("/chat", [=](troupe::http_request r) -> troupe::http_reply {
///   const auto name = name_of(r.field("Cookie"));
///   if (!name)
///     return troupe::http_response{403, "Who are you?\n"};
///   return sockets.accept(r, troupe::build<chat_session>(room, *name));
/// });
/// ```
///
/// A page of any site may open a WebSocket to any server, and its browser sends the cookies of that server along. So
/// the origin is checked. Browsers cannot add fields: what is to be known of a user is in a cookie, in the query, or
/// in the first message.
///
/// Thread: any; it does not change, and copies are cheap. Source: RFC 6455, 4.2; RFC 8441
class websocket_acceptor {
public:
  explicit websocket_acceptor(websocket_server_options options = {});

  /// Returns what the handler of the request answers: 101 (over HTTP/2, 200), after which the connection, or the
  /// stream, speaks to what is built, an actor of its own on the same loop; or why not: 400, 403 or 426.
  ///
  /// \param make  called when the answer is sent
  [[nodiscard]] http_response accept(const http_request& request,
                                     builder<websocket_protocol> make) const;

  /// Returns a handler that accepts whoever may: `site.get("/echo", sockets.handler(build<echo>()))`.
  [[nodiscard]] http_handler handler(builder<websocket_protocol> make) const;

private:
  std::shared_ptr<const websocket_server_options> options_;
};

} // namespace troupe
