// Sends every message back, over WebSockets.
//
//   $ build/release/examples/websocket_echo_server --port 8765
//   websocket_echo_server listens on 127.0.0.1:8765
//
// In the console of a browser: s = new WebSocket("ws://127.0.0.1:8765/"); s.onmessage = e => console.log(e.data); then
// s.send("hello"). Pages of other sites may connect only if their origin is named: `--origin http://localhost:8000`,
// or `--origin '*'`. With `--tls-cert certificate.pem --tls-key key.pem` it is wss:. Browsers that have a page from
// here over HTTP/2 open their WebSockets on its connection. Ctrl-C says goodbye to all. `--help` lists the options.

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#ifdef WITH_HTTP2
#include <troupe/http2/http2_server.hpp>
#endif
#include <troupe/websocket/websocket_acceptor.hpp>

#include "server_program.hpp"

namespace {

class echo : public troupe::websocket_protocol {
public:
  using websocket_protocol::websocket_protocol;
  void text_received(std::string_view text) override { send_text(text); }
  void binary_received(troupe::bytes_view data) override { send_binary(data); }
};

} // namespace

int main(int argc, char** argv) {
  troupe::websocket_server_options options;
  const auto make_factory = [&](troupe::runtime&) {
    troupe::http_router site;
    site.get("/", troupe::websocket_acceptor{options}.handler(troupe::build<echo>()));
#ifdef WITH_HTTP2
    return troupe::http2_server(site.handler());
#else
    return troupe::http_server(site.handler());
#endif
  };
  std::vector<std::string> protocols{"http/1.1"};
#ifdef WITH_HTTP2
  protocols = troupe::http2_alpn();
#endif
  return server_program::run(
    argc, argv, "websocket_echo_server", "Sends every message of a WebSocket back.", 8765,
    make_factory, server_program::tls_use::if_asked(protocols), {}, {}, [&](CLI::App& app) {
      app.add_option("--origin", options.origins, "whose pages may connect too; * is all");
      app.add_flag("--deflate", options.socket.deflate,
                   "packs messages for those who can unpack them");
      app.add_option("--max-message", options.socket.limits.max_message, "bytes (1048576)");
    });
}
