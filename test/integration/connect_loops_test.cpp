// On which loop a connection is made and runs, and what that is good for.

#include <optional>

#include <troupe/actors/supervisor.hpp>
#include <troupe/net/client_service.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/connect_unix.hpp>
#include <troupe/net/listen_unix.hpp>
#include <troupe/net/net_children.hpp>
#include <troupe/net/tcp_endpoint.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/directory.hpp"
#include "support/echo.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells on which loop it is, and that of its factory.
class where_am_i : public protocol {
public:
  where_am_i(caf::actor_config& cfg, events* told) : protocol(cfg), told_(told) {}
  void connection_made() override { told_->add("on " + std::to_string(loop().index())); }

private:
  events* told_;
};

std::string what(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const std::exception& e) {
    return e.what();
  }
  return "nothing";
}

class proxied;

/// One side of a proxy: what its port accepts.
class proxying : public protocol {
public:
  proxying(caf::actor_config& cfg, client_endpoint* to, events* told)
    : protocol(cfg), to_(*to), told_(told) {}
  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure&) override;

private:
  client_endpoint& to_;
  events* told_;
  std::optional<connected_protocol> other_;
  std::string early_;
};

/// The other side: it writes to the first directly, for the two share a loop.
class proxied : public protocol {
public:
  proxied(caf::actor_config& cfg, proxying* first, caf::actor keep)
    : protocol(cfg), first_(first), keep_(std::move(keep)) {}
  void data_received(bytes_view data) override {
    if (first_->connected())
      first_->transport().write(data);
  }
  void connection_lost(const failure&) override {
    if (first_->connected())
      first_->transport().lose_connection();
  }
  proxying* const first_;

private:
  const caf::actor keep_; // of `first_`
};

void proxying::connection_made() {
  auto* const keep = this;
  connect_protocol<proxied>(to_, keep, caf::actor{this})
    .add_callback([this, alive = caf::actor{this}](const connected_protocol& p) {
      told_->add(p.local<proxied>()->loop().index() == loop().index()
                   ? "together on " + std::to_string(loop().index())
                   : "apart");
      other_ = p;
      p.local<proxied>()->transport().write(std::exchange(early_, {}));
    });
}

void proxying::data_received(bytes_view data) {
  if (auto* const other = other_ ? other_->local<proxied>() : nullptr)
    other->transport().write(data);
  else
    early_ += as_text(data);
}

void proxying::connection_lost(const failure&) {
  if (const auto other = std::exchange(other_, std::nullopt))
    other->lose_connection();
}

} // namespace

TEST_CASE("a connection is made and runs on the loop of the caller", "[client][loops]") {
  const std::size_t loops = GENERATE(1, 3);
  directory d;
  events told;
  running r{loops};
  const auto tcp = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  listen_unix(r.rt, d / "s", factory::for_protocol<echo>());
  r.start();
  for (std::size_t i = 0; i < loops; ++i) {
    const auto here = "on " + std::to_string(i);
    on_loop(r, i, [&] {
      const auto f = client_factory::for_protocol<where_am_i>(&told);
      connect_tcp(r.rt, "localhost", tcp, f); // so names are looked up for any loop
      connect_unix(r.rt, d / "s", f);
      if (f.get()->loop().index() != i)
        told.add("the factory is elsewhere");
    });
    REQUIRE(told.wait_for(here, 2));
    on_loop(r, i, [&] {
      tcp_client_endpoint to{r.rt, "127.0.0.1", tcp};
      connect_protocol<where_am_i>(to, &told).add_callback([&, i](const connected_protocol& p) {
        told.add(event_loop::current()->index() == i && p.local<where_am_i>() != nullptr
                     && p.local<echo>() == nullptr
                   ? "fired here"
                   : "fired elsewhere");
      });
    });
    REQUIRE(told.wait_for(here, 3));
    REQUIRE(told.wait_for("fired here", i + 1));
  }
  CHECK(told.all().size() == 4 * loops);
}

TEST_CASE("before the runtime runs, and when told so, connections go to the loops in turn",
          "[client][loops]") {
  events told;
  running r{3};
  // What is accepted takes no turn of theirs.
  const auto port =
    listen_tcp(r.rt, 0, factory::for_protocol<echo>(), {.placement = placement::same_loop})
      .get_host()
      .port();
  const auto connect_three = [&](const connect_options& options) {
    const auto f = client_factory::for_protocol<where_am_i>(&told);
    for (int i = 0; i < 3; ++i)
      connect_tcp(r.rt, "127.0.0.1", port, f, options);
  };
  SECTION("before it runs") {
    connect_three({});
    r.start();
  }
  SECTION("any_loop") {
    r.start();
    on_loop(r, 1, [&] { connect_three({.loop = any_loop}); });
  }
  REQUIRE(told.wait(3));
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(told.count("on " + std::to_string(i)) == 1);
}

TEST_CASE("a connection can be given a loop by its number", "[client][loops]") {
  events told;
  running r{3};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  const auto f = client_factory::for_protocol<where_am_i>(&told);
  const auto g = client_factory::for_protocol<where_am_i>(&told);
  connect_tcp(r.rt, "127.0.0.1", port, f, {.loop = 2});
  CHECK_THROWS_AS(connect_tcp(r.rt, "127.0.0.1", port, g, {.loop = 3}), std::invalid_argument);
  r.start();
  REQUIRE(told.wait(1));
  CHECK(told.count("on 2") == 1);
  on_loop(r, 1, [&] {
    told.add(what([&] { connect_tcp(r.rt, "127.0.0.1", port, g, {.loop = 2}); }));
    told.add(what([&] { connect_tcp(r.rt, "127.0.0.1", port, f); }));
  });
  CHECK(told.all()[1]
        == "connecting: this is loop 1; a connection on loop 2 is made there, or before run()");
  CHECK(
    told.all()[2]
    == "connecting: the factory runs on loop 2, and this is loop 1; a connection needs a factory "
       "on its own loop");
}

TEST_CASE("a proxy keeps both sides of a connection on one loop, and uses all", "[client][loops]") {
  events told;
  running r{2};
  // What is accepted there takes no turn of the proxy's.
  const auto back =
    listen_tcp(r.rt, 0, factory::for_protocol<echo>(), {.placement = placement::same_loop})
      .get_host()
      .port();
  tcp_client_endpoint to{r.rt, "127.0.0.1", back};
  const auto front =
    listen_tcp(r.rt, 0, factory::for_protocol<proxying>(&to, &told)).get_host().port();
  r.start();
  std::vector<client> users;
  for (int i = 0; i < 4; ++i) {
    users.emplace_back(front);
    const std::string text(100'000, static_cast<char>('a' + i));
    users.back().send(text);
    CHECK(users.back().receive(text.size()) == text);
  }
  CHECK(told.count("together on 0") == 2);
  CHECK(told.count("together on 1") == 2);
  CHECK(told.count("apart") == 0);
}

TEST_CASE("a protocol itself is given on its own loop only", "[client][loops]") {
  events told;
  events gone;
  running r{2};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  tcp_client_endpoint to{r.rt, "127.0.0.1", port};
  std::optional<connected_protocol> made;
  r.start();
  on_loop(r, 1, [&] {
    connect_protocol<where_am_i>(to, &told).add_callback([&](const connected_protocol& p) {
      made = p;
      told.add("made");
    });
  });
  REQUIRE(told.wait(2));
  on_loop(r, 0, [&] { told.add(what([&] { (void)made->local(); })); });
  CHECK(told.all()[2]
        == "connected_protocol::local: the protocol is on loop 1, and this is another thread; use "
           "enter");
  made->lose_connection();
  caf::actor ended = made->actor();
  made->when_ended(r.rt.scheduler().loop(1), [&](const caf::error&) { gone.add("gone"); });
  REQUIRE(gone.wait(1));
  on_loop(r, 1, [&] { told.add(made->local() == nullptr ? "null" : "there"); });
  CHECK(told.all()[3] == "null");
}

TEST_CASE("a client service keeps its connections on its own loop", "[client][loops]") {
  events told;
  running r{3};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  const auto make = [&] {
    return std::make_unique<client_service>(
      r.rt, std::make_shared<tcp_client_endpoint>(r.rt, "127.0.0.1", port),
      factory::for_protocol<where_am_i>(&told), client_service_options{.retry = [](std::size_t) {
        return 1ms;
      }});
  };
  auto first = make(); // outside of any loop: loop 0
  (void)first->start_service();
  auto never = make();
  (void)never->start_service();
  bool stopped = false;
  never->stop_service().add_callback([&] { stopped = true; });
  CHECK(stopped); // it had yet to begin
  std::unique_ptr<client_service> second;
  r.start();
  REQUIRE(told.wait_for("on 0"));
  on_loop(r, 2, [&] {
    second = make();
    (void)second->start_service();
    second->when_connected().add_callback(
      [](const connected_protocol& p) { p.local()->transport().lose_connection(); });
  });
  REQUIRE(told.wait_for("on 2", 2)); // also when it connects again
  on_loop(r, 2, [&] { second.reset(); });
  on_loop(r, 0, [&] { first.reset(); });
  CHECK(told.count("on 0") == 1);
  CHECK(told.count("on 1") == 0);
}

TEST_CASE("a connector is a child of a supervisor on any loop", "[client][loops]") {
  events told;
  events refused;
  running r{3};
  const auto port = listen_tcp(r.rt, 0, factory::for_protocol<echo>()).get_host().port();
  const auto child = [&](connect_options options) {
    return connector_child(r.rt, "link", "127.0.0.1", port,
                           client_factory::for_protocol<where_am_i>(&told), options);
  };
  r.rt.spawn_on<supervisor>(2, supervisor_options{}, std::vector{child({})});
  supervisor_options options;
  options.observer = [&](const supervisor_event& e) {
    refused.add(e.reason.message());
  };
  r.rt.spawn_on<supervisor>(2, options, std::vector{child({.loop = 1})});
  r.start();
  REQUIRE(told.wait(1));
  CHECK(told.all().front() == "on 2");
  REQUIRE(refused.wait(1));
  CHECK(refused.all().front().find("the connection is to be on loop 1, and its supervisor is on "
                                   "loop 2")
        != std::string::npos);
}
