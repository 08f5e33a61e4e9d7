#include <troupe/basic/socks_server.hpp>

#include <memory>
#include <string>
#include <utility>

#include <troupe/testing/accumulating_protocol.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::string_literals;

namespace {

class played_server : public socks_server {
public:
  played_server(caf::actor_config& cfg, runtime& rt, promise<connected_protocol>* answer,
                played_server** self)
    : socks_server(cfg, rt, std::make_shared<const socks_server_options>()), answer_(answer) {
    *self = this;
  }
  deferred<connected_protocol> connect_to(const net_address&) override {
    return answer_->get_deferred();
  }

private:
  promise<connected_protocol>* answer_;
};

// A client that has asked for an address, and what its server would connect to.
struct asked {
  asked()
    : front(net.listen(
      0, factory::for_protocol<played_server>(std::ref<runtime>(net.rt), &answer, &server))),
      back(net.listen(0, factory::for_protocol<accumulating_protocol>())),
      client(net.connect<half_closing_protocol>(front)) {
    net.enter(client, [&] { client.transport().write("\x04\x01\0\x50\xc0\0\x02\x01\0"s); });
    net.flush();
  }

  // The attempt comes to `p`, in the turn in which `before` is done.
  template <class F>
  void connected(protocol& p, F&& before) {
    net.rt.in_turn([&] {
      before();
      answer.callback(connected_protocol{caf::strong_actor_ptr{p.ctrl()}});
    });
    net.flush();
  }

  memory_network net;
  promise<connected_protocol> answer{[] {
  }}; // cannot be stopped
  played_server* server = nullptr;
  std::uint16_t front;
  std::uint16_t back;
  half_closing_protocol& client;
};

} // namespace

TEST_CASE("a connection that is made when the client is being closed already is closed") {
  asked a;
  auto& out = a.net.connect<proxy_client>(a.back);
  a.connected(out, [&] { a.server->enter([&] { a.server->transport().lose_connection(); }); });
  CHECK(a.client.data.empty());
  CHECK_FALSE(out.connected());
}

TEST_CASE("a connection that is no side of a proxy is closed, and the client is refused") {
  asked a;
  auto& out = a.net.connect<accumulating_protocol>(a.back);
  a.connected(out, [] {});
  CHECK(a.client.data.substr(0, 2) == "\0\x5b"s);
  CHECK_FALSE(out.connected());
}
