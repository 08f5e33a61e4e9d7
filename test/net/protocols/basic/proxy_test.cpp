#include <troupe/basic/proxy_factory.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include <troupe/testing/accumulating_protocol.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/memory_network.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

using peer = half_closing_protocol;

class played_server : public proxy_server {
public:
  explicit played_server(caf::actor_config& cfg, promise<connected_protocol>* answer,
                         std::function<std::string(std::string)> change = {})
    : proxy_server(cfg, nullptr, false), answer_(answer), change_(std::move(change)) {}

  deferred<connected_protocol> connect_out() override { return answer_->get_deferred(); }
  void forward(bytes_view data) override {
    if (!change_)
      return proxy_server::forward(data);
    if (const auto changed = change_(std::string{as_text(data)}); !changed.empty())
      proxy_server::forward(as_bytes(changed));
  }
  using proxy_server::pending;

private:
  promise<connected_protocol>* answer_;
  std::function<std::string(std::string)> change_;
};

// caller <-> proxy_server <-> proxy_client <-> target
struct chain {
  explicit chain(std::function<std::string(std::string)> change = {})
    : front(net.listen(0, factory::for_protocol<played_server>(&answer, std::move(change)))),
      targets(factory::of<accumulating_factory<peer>>()), back(net.listen(0, targets)),
      caller(net.connect<peer>(front)) {
    net.flush();
  }

  void connect() {
    auto& out = net.connect<proxy_client>(back);
    net.rt.in_turn([&] { answer.callback(connected_protocol{caf::strong_actor_ptr{out.ctrl()}}); });
    net.flush();
    target = static_cast<accumulating_factory<peer>*>(targets.get())->protocols.back();
  }

  void send(peer& from, std::string_view text) {
    net.enter(from, [&] { from.transport().write(text); });
    net.flush();
  }

  memory_network net;
  promise<connected_protocol> answer;
  std::uint16_t front;
  factory_ref targets;
  std::uint16_t back;
  peer& caller;
  peer* target = nullptr;
};

} // namespace

TEST_CASE("bytes go both ways, also those that came before there was another side") {
  chain c;
  c.send(c.caller, "early ");
  c.connect();
  CHECK(c.target->data == "early ");
  c.send(c.caller, "and late");
  c.send(*c.target, "answer");
  CHECK(c.target->data == "early and late");
  CHECK(c.caller.data == "answer");
  CHECK(c.caller.closed == 0);
}

TEST_CASE("no more is read before there is another side than may be kept") {
  chain c;
  c.net.enter(c.caller, [&] { c.caller.transport().write(std::string(1'000'000, 'x')); });
  c.net.flush();
  CHECK(c.caller.transport().unsent() > 800'000); // it stays with the sender
  c.connect();
  CHECK(c.target->data.size() == 1'000'000);
}

TEST_CASE("a peer that has sent everything ends one direction, behind the last byte") {
  chain c;
  c.connect();
  c.net.enter(c.caller, [&] {
    c.caller.transport().write("question");
    c.caller.transport().lose_write_connection();
  });
  c.net.flush();
  CHECK(c.target->data == "question");
  CHECK(c.target->read_closed == 1);
  CHECK(c.target->closed == 0);
  c.net.enter(*c.target, [&] { c.target->transport().write("a late answer"); });
  c.net.flush();
  CHECK(c.caller.data == "a late answer");
  c.net.enter(*c.target, [&] { c.target->transport().lose_connection(); });
  c.net.flush();
  CHECK(c.caller.closed_reason->check(errc::connection_done));
  CHECK(c.target->closed_reason->check(errc::connection_done));
}

TEST_CASE("the end of the input that came before there was another side is passed on") {
  chain c;
  c.net.enter(c.caller, [&] {
    c.caller.transport().write("all");
    c.caller.transport().lose_write_connection();
  });
  c.net.flush();
  c.connect();
  CHECK(c.target->data == "all");
  CHECK(c.target->read_closed == 1);
  c.net.enter(*c.target, [&] {
    c.target->transport().write("answer");
    c.target->transport().lose_connection();
  });
  c.net.flush();
  CHECK(c.caller.data == "answer");
  CHECK(c.caller.closed == 1);
}

TEST_CASE("a side that closes lets the other have what was read for it, and closes that") {
  chain c;
  c.connect();
  c.net.enter(*c.target, [&] {
    c.target->transport().write(std::string(500'000, 'y'));
    c.target->transport().lose_connection();
  });
  c.net.flush();
  CHECK(c.caller.data.size() == 500'000);
  CHECK(c.caller.read_closed == 1);
  c.net.enter(c.caller, [&] { c.caller.transport().lose_connection(); });
  c.net.flush();
  CHECK(c.caller.closed == 1);
  CHECK(c.target->closed == 1);
  CHECK(c.target->closed_reason->check(errc::connection_done));
}

TEST_CASE("an abort on either side aborts the other") {
  for (const bool by_caller : {true, false}) {
    chain c;
    c.connect();
    auto& one = by_caller ? c.caller : *c.target;
    auto& other = by_caller ? *c.target : c.caller;
    c.net.enter(one, [&] { one.transport().abort_connection(); });
    c.net.flush();
    REQUIRE(other.closed == 1);
    CHECK(other.closed_reason->check(errc::connection_lost)); // a reset
  }
}

TEST_CASE("a slow reader stops the fast writer") {
  chain c;
  c.connect();
  c.net.enter(*c.target, [&] { c.target->transport().pause_producing(); });
  c.net.enter(c.caller, [&] { c.caller.transport().write(std::string(4'000'000, 'z')); });
  c.net.flush();
  // Four buffers of the network, and a high-water mark with one read.
  CHECK(c.caller.transport().unsent() > 4'000'000 - 4 * 65'536 - 65'536 - 65'536);
  c.net.enter(*c.target, [&] { c.target->transport().resume_producing(); });
  c.net.flush();
  CHECK(c.target->data.size() == 4'000'000);
}

TEST_CASE("an attempt that fails closes the peer; one whose peer has gone is cancelled") {
  chain refused;
  refused.net.rt.in_turn([&] { refused.answer.errback(errc::connection_refused); });
  refused.net.flush();
  CHECK(refused.caller.read_closed == 1);

  chain gone;
  gone.net.enter(gone.caller, [&] { gone.caller.transport().abort_connection(); });
  gone.net.flush();
  CHECK(gone.answer.called());
}

TEST_CASE("a connection that is made too late is closed") {
  memory_network net;
  promise<connected_protocol> answer{[] {
  }}; // cannot be stopped
  const auto front = net.listen(0, factory::for_protocol<played_server>(&answer));
  const auto targets = factory::of<accumulating_factory<peer>>();
  const auto back = net.listen(0, targets);
  auto& caller = net.connect<peer>(front);
  net.flush();
  auto& out = net.connect<proxy_client>(back);
  net.enter(out, [&] { out.transport().lose_connection(); });
  net.flush();
  net.rt.in_turn([&] { answer.callback(connected_protocol{caf::strong_actor_ptr{out.ctrl()}}); });
  net.flush();
  CHECK(caller.read_closed == 1); // its target has gone already
}

TEST_CASE("chunks can be changed and dropped on their way") {
  chain c{[](const std::string& text) {
    if (text.size() > 1)
      return std::string{};
    return '<' + text + '>';
  }};
  c.connect();
  c.send(c.caller, "a");
  c.send(c.caller, "secret");
  c.send(c.caller, "b");
  CHECK(c.target->data == "<a><b>");
  c.send(*c.target, "as it is");
  CHECK(c.caller.data == "as it is");
}

TEST_CASE("an exception on its way closes both sides") {
  chain c{[](const std::string&) -> std::string {
    throw std::runtime_error("on purpose");
  }};
  logged_errors errors{c.net.rt};
  c.connect();
  c.send(c.caller, "a");
  CHECK(c.caller.read_closed == 1);
  CHECK(c.target->read_closed == 1);
  CHECK(errors.flush().size() == 1);
}

TEST_CASE("sides that are joined, or not connected, cannot be joined") {
  chain c;
  c.connect();
  auto& spare = c.net.connect<proxy_client>(c.back);
  auto& another = c.net.connect<proxy_client>(c.back);
  c.net.enter(spare, [&] {
    CHECK_THROWS_AS(spare.join(spare), std::logic_error);
    spare.join(another);
    CHECK_THROWS_AS(spare.join(another), std::logic_error);
  });
}
