// Tests without a network, a thread or a second of waiting.

#define CATCH_CONFIG_MAIN // for Catch2 2; 3 has a library for it
#include <troupe/testing/leak_listener.hpp>
#include <troupe/testing/memory_network.hpp>

#include "@NAME@.hpp"

using namespace std::chrono_literals;
using troupe::testing::leak_listener; // fails a test that leaves an error or anything else behind
CATCH_REGISTER_LISTENER(leak_listener)

/// The other end: keeps what it reads.
class client : public troupe::protocol {
public:
  using protocol::protocol;
  void data_received(troupe::bytes_view data) override { read += troupe::as_text(data); }
  std::string read;
};

/// The service in memory, and a client.
struct world {
  world() {
    CHECK(net.rt.names().put("words", net.rt.spawn<tally>()));
    net.listen(7000, troupe::factory::for_protocol<@NAME@>(net.rt.names().get("words")));
    peer = &net.connect<client>(7000);
    net.flush();
  }

  std::string says(const std::string& text) {
    peer->read.clear();
    net.enter(*peer, [&] { peer->transport().write(text); });
    net.flush();
    return peer->read;
  }

  troupe::testing::memory_network net;
  client* peer;
};

TEST_CASE("a word comes back with how often it was said") {
  world w;
  CHECK(w.peer->read == "Hello. Say a word.\r\n");
  CHECK(w.says("day\nnight\nday\n") == "day: 1\r\nnight: 1\r\nday: 2\r\n");
}

TEST_CASE("what would clear a screen is left out") {
  world w;
  CHECK(w.says("\033[2Jday\n") == "[2Jday: 1\r\n");
}

TEST_CASE("who is silent for five minutes is closed") {
  world w;
  w.net.advance(5min - 1ms);
  CHECK(w.peer->connected());
  w.net.advance(1ms);
  CHECK_FALSE(w.peer->connected());
}
