// Fetching from a server that is slow.

#include <troupe/nats/jetstream.hpp>

#include <string>
#include <vector>

#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

#include "scripted_server.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct fetching : scripted {
  fetching() : scripted{{.ping_interval = duration::max()}} { start(); }

  auto fetch(const fetch_options& o) {
    auto d = net.rt.in_turn([&] { return js.fetch("S", "C", o); });
    net.flush();
    return d;
  }
  std::string inbox() const { // the latest
    for (auto i = script.heard.rbegin(); i != script.heard.rend(); ++i)
      if (i->starts_with("SUB _INBOX."))
        return i->substr(4);
    return {};
  }
  void deliver(int number, int pending) {
    say("MSG s.x " + inbox().substr(inbox().rfind(' ') + 1) + " $JS.ACK.S.C.1."
        + std::to_string(number) + '.' + std::to_string(number) + ".0." + std::to_string(pending)
        + " 1\r\nx");
  }

  jetstream js{*nats};
};

} // namespace

TEST_CASE("a fetch goes on as long as messages come") {
  fetching t;
  auto d = t.fetch({.batch = 5, .expires = 0s});
  for (int i = 1; i <= 4; ++i) {
    t.net.advance(900ms);
    REQUIRE_FALSE(d.ready());
    t.deliver(i, 5 - i);
  }
  t.net.advance(900ms);
  SECTION("and ends with the last of them") {
    t.deliver(5, 0);
    const auto got = success_result_of(std::move(d));
    REQUIRE(got.size() == 5);
    CHECK(got[4].consumer_sequence == 5);
  }
  SECTION("and then for two seconds at most") {
    t.net.advance(1s);
    t.net.advance(1s);
    CHECK(success_result_of(std::move(d)).size() == 4);
  }
}

TEST_CASE("a fetch that nobody answers fails a second after its time") {
  fetching t;
  auto d = t.fetch({.batch = 5, .expires = 2s});
  t.net.advance(3s - 1ns);
  CHECK_FALSE(d.ready());
  t.net.advance(1ns);
  CHECK(failure_result_of(std::move(d)).check(errc::timed_out));
}
