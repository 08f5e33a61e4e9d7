// Datagrams: a server of one protocol for all, and a client that asks it.

#include <cstdio>
#include <string>

#include <troupe/net/listen_udp.hpp>
#include <troupe/net/printable.hpp>

// [server]
class echo : public troupe::datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;

  void datagram_received(troupe::bytes_view data, const troupe::net_address& from) override {
    if (troupe::as_text(data).starts_with("ask ")) // answer what is a question, and never an answer
      transport().write("answer to " + std::string{troupe::as_text(data.subspan(4))}, from);
  }
};
// [/server]

// [client]
class asker : public troupe::datagram_protocol {
public:
  asker(caf::actor_config& cfg, troupe::runtime* rt, troupe::net_address server)
    : datagram_protocol(cfg), rt_(rt), server_(std::move(server)) {}

  void start_protocol() override { ask(); }

  void datagram_received(troupe::bytes_view data, const troupe::net_address&) override {
    std::printf("%s\n", troupe::printable(troupe::as_text(data)).c_str());
    rt_->stop();
  }

private:
  void ask() {
    transport().write("ask me", server_);
    call_later(std::chrono::seconds(1), [this] { ask(); }); // a datagram may be lost
  }

  troupe::runtime* rt_;
  const troupe::net_address server_;
};
// [/client]

// [main]
int main() {
  troupe::runtime rt;
  const auto server = troupe::listen_udp(rt, 0, troupe::datagram_protocol::of<echo>());
  troupe::listen_udp(rt, 0, troupe::datagram_protocol::of<asker>(&rt, server.get_host()));
  return rt.run().exit_code();
}
// [/main]
