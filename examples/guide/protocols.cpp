// The life of a connection, and of the factory that builds its protocol.

#include <cstdio>
#include <string>

#include <troupe/net/factory.hpp>
#include <troupe/testing/memory_network.hpp>

// [protocol]
class greeter : public troupe::protocol {
public:
  greeter(caf::actor_config& cfg, std::string greeting)
    : protocol(cfg), greeting_(std::move(greeting)) {}

  void connection_made() override {
    std::printf("server: %s has come\n", transport().get_peer().host().c_str());
    transport().write(greeting_);
  }

  void data_received(troupe::bytes_view data) override {
    std::printf("server: %zu bytes came\n", data.size());
    transport().write("goodbye");
    transport().lose_connection(); // once that is sent
    transport().write("too late");
  }

  void connection_lost(const troupe::failure& why) override {
    std::printf("server: the end: %s\n", why.message().c_str());
  }

private:
  const std::string greeting_;
};
// [/protocol]

// [factory]
class door : public troupe::factory {
public:
  using factory::factory;

  troupe::protocol_ptr build_protocol(const troupe::net_address& peer) override {
    if (peer.host() == "10.0.0.13")
      return nullptr; // closes the connection at once
    return make_protocol<greeter>("hello, number " + std::to_string(++guests_));
  }

  void start_factory() override { std::puts("factory: the first port listens"); }
  void stop_factory() override { std::puts("factory: the last port has stopped"); }

private:
  int guests_ = 0; // needs no lock: a factory lives on one loop
};
// [/factory]

// [client]
class client : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override {
    std::printf("client: read \"%s\"\n", std::string{troupe::as_text(data)}.c_str());
  }
  void connection_lost(const troupe::failure&) override { std::puts("client: the end"); }
};
// [/client]

int main() {
  troupe::testing::memory_network net; // a network in one process; see the chapter on tests
  net.listen(7, troupe::factory::of<door>());
  auto& guest = net.connect<client>(7);
  net.flush();
  net.enter(guest, [&] { guest.transport().write("hi"); });
  net.flush();
  net.set_client_host("10.0.0.13");
  net.connect<client>(7);
  net.flush();
  net.stop_listening(7);
}
