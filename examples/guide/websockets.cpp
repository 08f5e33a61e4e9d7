// WebSockets: a server and a client, in one process.

#include <cstdio>
#include <memory>

#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/websocket/connect_websocket.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

// [server]
class shout : public troupe::websocket_protocol {
public:
  using websocket_protocol::websocket_protocol;
  void text_received(std::string_view text) override { send_text(std::string{text} + "!"); }
};

troupe::factory_ref site() {
  const troupe::websocket_acceptor sockets;
  troupe::http_router router;
  router.get("/shout", sockets.handler(troupe::build<shout>()));
  return troupe::http_server(router.handler());
}
// [/server]

// [client]
/// Says hello, and goes when it has an answer.
class caller : public troupe::websocket_protocol {
public:
  caller(caf::actor_config& cfg, std::shared_ptr<troupe::promise<void>> ended)
    : websocket_protocol(cfg), ended_(std::move(ended)) {}

  void websocket_opened() override { send_text("hello"); }
  void text_received(std::string_view text) override {
    std::printf("the server says: %s\n", std::string{text}.c_str());
    close(1000, "thank you");
  }
  void websocket_closed(const troupe::websocket_close& how) override {
    std::printf("closed with %d%s\n", how.code, how.clean ? ", both sides agree" : "");
    ended_->callback();
  }

private:
  const std::shared_ptr<troupe::promise<void>> ended_;
};

troupe::deferred<void> call(troupe::runtime& rt, std::string url) {
  const auto ended = std::make_shared<troupe::promise<void>>();
  auto closed = ended->get_deferred();
  auto opening = troupe::connect_websocket(rt, url, troupe::build<caller>(ended));
  co_await std::move(opening);
  std::printf("it is open\n");
  co_await std::move(closed);
}
// [/client]

// [refused]
/// As a page of another site would, whose browser says where it is from.
troupe::deferred<void> from_elsewhere(troupe::runtime& rt, std::string url) {
  troupe::websocket_client_options options;
  options.fields = {{"Origin", "https://elsewhere.example"}};
  const auto nobody = std::make_shared<troupe::promise<void>>();
  auto opening = troupe::connect_websocket(rt, url, troupe::build<caller>(nobody), options);
  try {
    co_await std::move(opening);
  } catch (const std::system_error& e) {
    std::printf("%s: %s\n", e.code() == troupe::errc::connection_refused ? "refused" : "?",
                e.what());
  }
}
// [/refused]

int main() {
  troupe::runtime rt{{.loops = 1}};
  const auto port = troupe::listen_tcp(rt, 0, site());
  const std::string url = "ws://" + port.get_host().to_string() + "/shout";
  return troupe::react(rt, [&](troupe::runtime& r) -> troupe::deferred<void> {
    return call(r, url).add_callback([&r, url] { return from_elsewhere(r, url); });
  });
}
