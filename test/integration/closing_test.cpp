// Connections that end while their peer still sends: it gets what was written for it.

#include <troupe/net/listen_tcp.hpp>

#include <memory>
#include <thread>

#include <sys/socket.h>

#include <troupe/net/listen_ssl.hpp>

#include "closing_socket.hpp"
#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"
#include "support/system_transports.hpp"
#include "support/tls.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

const std::string answer(8u << 20, 'a');
const std::string more(300'000, 'm');
const std::string clean = "lost: the connection was closed cleanly";

/// Answers what comes first, and does as it is told; what follows is not for it.
class last_answer : public protocol {
public:
  using action = std::function<void(last_answer&)>;
  last_answer(caf::actor_config& cfg, events* told, action then)
    : protocol(cfg), told_(told), then_(std::move(then)) {}
  void data_received(bytes_view) override {
    if (std::exchange(answered_, true))
      return told_->add("more data");
    transport().write(answer);
    then_(*this);
  }
  void connection_lost(const failure& why) override { told_->add("lost: " + why.message()); }

private:
  events* told_;
  action then_;
  bool answered_ = false;
};

void lose(last_answer& p) {
  p.transport().lose_connection();
}

factory_ref answers(events& told, last_answer::action then = lose) {
  return factory::for_protocol<last_answer>(&told, std::move(then));
}

// Not for Catch2 to compare: it would print both.
bool is_answer(const std::string& text) {
  return text == answer;
}

/// Sends as long as it is taken, at most `most` bytes; returns how many.
std::size_t flood(client& c, std::size_t most) {
  std::size_t sent = 0;
  try {
    while (sent < most) {
      c.send(more);
      sent += more.size();
    }
  } catch (const std::runtime_error&) { // the peer closed
  }
  return sent;
}

} // namespace

TEST_CASE("a peer that sent more than was read gets the whole last answer", "[closing]") {
  const bool stops = GENERATE(false, true);
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, answers(told, [&](last_answer& p) {
                                 if (stops)
                                   r.rt.stop();
                                 else
                                   p.transport().lose_connection();
                               }));
  r.start();
  client c{port.get_host().port()};
  c.send("?" + more);
  CHECK(is_answer(c.rest()));
  CHECK_FALSE(c.was_reset());
  REQUIRE(told.wait(1));
  c.close();
  r.stop();
  CHECK(told.all().back() == (stops ? "lost: the runtime is stopping" : clean));
}

TEST_CASE("a peer that goes on sending gets the whole last answer", "[closing]") {
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, answers(told));
  r.start();
  client c{port.get_host().port()};
  c.send("?" + more);
  std::size_t sent = 0;
  std::thread sender{[&] {
    sent = flood(c, 4u << 20);
  }};
  const auto got = c.rest();
  sender.join();
  CHECK(is_answer(got));
  CHECK_FALSE(c.was_reset());
  CHECK(sent >= 4u << 20);
  REQUIRE(told.wait(1));
  CHECK(told.all().back() == clean);
}

TEST_CASE("a peer that sends without end is cut off", "[closing]") {
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, answers(told));
  r.start();
  client c{port.get_host().port()};
  c.send("?" + more);
  std::thread reader{[&] {
    c.rest();
  }};
  const auto sent = flood(c, 10 * troupe::detail::closing_bytes);
  reader.join();
  CHECK(sent >= troupe::detail::closing_bytes);
  CHECK(sent < 3 * troupe::detail::closing_bytes); // with what the system holds
}

TEST_CASE("a peer that falls silent is not waited for longer than the limit", "[closing]") {
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, answers(told));
  r.start();
  client first{port.get_host().port()}; // so that all is set up that the first connection sets up
  first.send("?");
  CHECK(is_answer(first.rest()));
  first.close();
  const auto before = open_descriptors();
  client c{port.get_host().port()};
  const auto begun = std::chrono::steady_clock::now();
  c.send("?" + more);
  CHECK(is_answer(c.rest()));
  REQUIRE(told.wait(2)); // the protocol is told at once
  CHECK(std::chrono::steady_clock::now() - begun < troupe::detail::closing_time);
  CHECK(open_descriptors() == before + 2); // both ends
  CHECK(comes_down_to(before + 1, troupe::detail::closing_time + 5s));
  CHECK(std::chrono::steady_clock::now() - begun >= troupe::detail::closing_time);
}

TEST_CASE("an abort is a reset, whatever the peer has sent", "[closing]") {
  events told;
  running r{1};
  const auto port =
    listen_tcp(r.rt, 0, answers(told, [](last_answer& p) { p.transport().abort_connection(); }));
  r.start();
  client c{port.get_host().port()};
  c.send("?" + more);
  REQUIRE(told.wait(1)); // whoever reads meanwhile may have it all before the abort
  CHECK(c.rest().size() < answer.size());
  CHECK(c.was_reset());
}

TEST_CASE("over a UNIX socket, input that was not read is no reset", "[closing]") {
  events told;
  subjects s{answers(told), build<last_answer>(&told, lose)};
  over_unix u{s};
  u.peer->send("?" + more.substr(0, 100'000));
  CHECK(is_answer(u.rest()));
  CHECK_FALSE(u.was_reset());
  REQUIRE(told.wait(1));
  CHECK(told.all().back() == clean);
}

TEST_CASE("over TLS, the answer and its clean end arrive behind input that was not read",
          "[closing]") {
  static const authority ca;
  static const tls_identity identity = ca.issue();
  events told;
  running r{1};
  const auto port =
    listen_ssl(r.rt, 0, answers(told), tls_server_context{{.identities = {identity}}});
  r.start();
  tls_client c{port.get_host().port()};
  c.send("?");
  c.send(more);
  CHECK(is_answer(c.rest()));
  CHECK(c.clean());
  REQUIRE(told.wait(1));
  CHECK(told.all().back() == clean);
}

TEST_CASE("the alert that refuses a client arrives behind what the client has sent", "[closing]") {
  static const authority ca;
  static const tls_identity identity = ca.issue();
  events told;
  running r{1};
  const auto port = listen_ssl(r.rt, 0, answers(told),
                               tls_server_context{{.identities = {identity},
                                                   .clients = client_certificates::required,
                                                   .trusted_file = ca.file()}});
  r.start();
  tls_client c{port.get_host().port()}; // to it, the handshake is over when it has spoken
  c.send(more);
  CHECK(c.rest().empty());
  CHECK(c.error().find("certificate required") != std::string::npos);
}

TEST_CASE("sockets on their way out are bounded, and the oldest goes for the newest", "[closing]") {
  class leaver : public protocol {
  public:
    leaver(caf::actor_config& cfg, events* told) : protocol(cfg), told_(told) {}
    void data_received(bytes_view) override { transport().lose_connection(); }
    void connection_lost(const failure&) override { told_->add("lost"); }

  private:
    events* told_;
  };
  constexpr auto count = troupe::detail::closing_at_most + 20;
  events told;
  running r{1};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<leaver>(&told)).get_host().port();
  r.start();
  const std::string more_than_is_read(100'000, 'f');
  std::vector<std::unique_ptr<client>> peers;
  std::size_t before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i == 1) // all is set up that the first connection sets up
      before = open_descriptors();
    peers.push_back(std::make_unique<client>(port));
    peers.back()->send(more_than_is_read);
    REQUIRE(told.wait(i + 1));
  }
  CHECK(open_descriptors() < before + count + troupe::detail::closing_at_most);
  CHECK(peers.back()->rest().empty());
  CHECK_FALSE(peers.back()->was_reset());
}
