// The chat, seventh step: browsers are in the same rooms.
//
//   chat7 8123 8080 examples/guide/chat7/page        and http://127.0.0.1:8080/ in a browser

#include <cstdio>
#include <cstdlib>

#include <troupe/http/http_form.hpp>
#include <troupe/http/http_router.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/http/static_files.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/websocket/websocket_acceptor.hpp>

#include "../chat3/chat.hpp"

using namespace std::chrono_literals;

// [user]
/// One page, which is in the lobby. Its name is in the address of its WebSocket.
class browser_user : public troupe::websocket_protocol {
public:
  browser_user(caf::actor_config& cfg, troupe::named_actor users, troupe::topics rooms,
               std::string name)
    : websocket_protocol(cfg), users_(std::move(users)), rooms_(std::move(rooms)),
      name_(std::move(name)) {}

  void websocket_opened() override {
    transport().set_output_limits({.high = 64 * 1024, .low = 16 * 1024, .hard = 1024 * 1024});
    troupe::ask<bool>(*this, users_, 5s, claim_atom::value, name_)
      .add_callback([this](bool granted) {
        if (!granted)
          return close(4000, "That name is taken."); // 4000 to 4999 are ours to give a meaning
        room_ = rooms_.get("lobby");
        room_.subscribe(this);
        room_.publish("* " + name_ + " has come\r\n", troupe::except{this});
      })
      .add_errback([this](const troupe::failure&) { close(1011, "Try again later."); });
  }

  void text_received(std::string_view text) override {
    if (room_)
      room_.publish("<" + name_ + "> " + troupe::printable(text) + "\r\n"); // to itself, too
  }

  void websocket_closed(const troupe::websocket_close&) override {
    if (room_)
      room_.publish("* " + name_ + " has left\r\n", troupe::except{this});
  }

private:
  const troupe::named_actor users_;
  const troupe::topics rooms_;
  const std::string name_;
  troupe::topic room_;
};
// [/user]

// [guarded]
/// Lets a page run no script but its own, should what somebody wrote get into it as markup once.
troupe::http_handler guarded(troupe::http_handler inner) {
  return [inner = std::move(inner)](troupe::http_request request) -> troupe::http_reply {
    return inner(std::move(request)).then([](troupe::http_response& made) {
      made.set("Content-Security-Policy", "default-src 'self'");
    });
  };
}
// [/guarded]

// [site]
troupe::factory_ref site(const troupe::named_actor& users, const troupe::topics& rooms,
                         const std::string& folder) {
  troupe::websocket_server_options options;
  options.socket.limits.max_message = 4096;
  const troupe::websocket_acceptor sockets{options};

  troupe::http_router router;
  router.get("/chat", [=](const troupe::http_request& request) -> troupe::http_reply {
    const auto name = troupe::printable(query_arguments(request).find("name").value_or(""));
    if (name.empty())
      return troupe::http_response{400, "What's your name?\n"};
    return sockets.accept(request, troupe::build<browser_user>(users, rooms, name));
  });
  router.mount("/", guarded(troupe::static_files(folder)));
  return troupe::http_server(router.handler());
}
// [/site]

// [main]
int main(int argc, char** argv) {
  if (argc != 4)
    return EXIT_FAILURE;
  troupe::runtime rt;
  if (!rt.names().put("users", rt.spawn<registry>()))
    return EXIT_FAILURE;
  const auto users = rt.names().get("users");
  const troupe::topics rooms{rt};

  const auto lines = troupe::listen_tcp(rt, static_cast<std::uint16_t>(std::atoi(argv[1])),
                                        troupe::factory::for_protocol<chat>(users, rooms));
  const auto web = troupe::listen_tcp(rt, static_cast<std::uint16_t>(std::atoi(argv[2])),
                                      site(users, rooms, argv[3]));
  std::printf("chat listens on %s\n", lines.get_host().to_string().c_str());
  std::printf("and for browsers on http://%s/\n", web.get_host().to_string().c_str());
  std::fflush(stdout);
  return rt.run().exit_code();
}
// [/main]
