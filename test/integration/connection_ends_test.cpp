// The actor of a connection, of an attempt to connect, or of a process ends, by every means: its peer,
// the attempt and the program hear of it.

#include <functional>
#include <string>
#include <utility>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/protocol.hpp>

#include "support/catch.hpp"
#include "support/means.hpp"
#include "support/process_reporter.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells what happens to it.
class telling : public protocol {
public:
  using action = std::function<void(telling&)>;
  telling(caf::actor_config& cfg, events* told, std::string name, action made, action lost)
    : protocol(cfg), told_(told), name_(std::move(name)), made_(std::move(made)),
      lost_(std::move(lost)) {}
  void connection_made() override { made_(*this); }
  void connection_lost(const failure&) override {
    told_->add(name_ + " lost");
    lost_(*this);
  }

private:
  events* told_;
  std::string name_;
  action made_, lost_;
};

/// Tells why there is no connection.
class telling_clients : public client_factory {
public:
  telling_clients(caf::actor_config& cfg, events* told) : client_factory(cfg), told_(told) {}
  protocol_ptr build_protocol(const net_address&) override { return nullptr; }
  void started_connecting(connector&) override { told_->add("begins"); }
  void client_connection_failed(connector&, const failure&) override { told_->add("failed"); }

private:
  events* told_;
};

} // namespace

TEST_CASE("a connection's actor ends, and its peer is told", "[ends]") {
  for (const auto how : all_means)
    DYNAMIC_SECTION("ends " << to_string(how)) {
      events told;
      runtime rt{{.loops = 1, .grace = 5s, .install_signal_handlers = false}};
      const auto port = listen_tcp(
        rt, 0,
        factory::for_protocol<telling>(
          &told, "server",
          [&](telling& s) {
            rt.reactor().call_later(
              1ms, [&rt, how, &s, alive = caf::strong_actor_ptr{s.ctrl()}] { end(rt, s, how); });
          },
          [](telling&) {}));
      connect_tcp(rt, "127.0.0.1", port.get_host().port(),
                  client_factory::for_protocol<telling>(
                    &told, "client", [](telling&) {}, [&](telling&) { rt.stop(); }));
      rt.run();
      CHECK(told.count("server lost") == 1);
      CHECK(told.count("client lost") == 1);
    }
}

TEST_CASE("the factory of an attempt to connect ends, and the attempt with it", "[ends]") {
  for (const auto how : all_means)
    DYNAMIC_SECTION("ends " << to_string(how)) {
      events told;
      const auto before = open_descriptors();
      {
        runtime rt{{.loops = 1, .grace = 5s, .install_signal_handlers = false}};
        const auto clients = client_factory::of<telling_clients>(&told);
        connect_tcp(rt, "192.0.2.1", 9, clients); // an address for documentation: nobody answers
        rt.reactor().call_later(20ms, [&] {
          end(rt, *clients.get(), how);
          rt.reactor().call_later(20ms, [&] { rt.stop(); });
        });
        rt.run();
      }
      CHECK(told.count("begins") == 1);
      CHECK(open_descriptors() == before);
    }
}

TEST_CASE("a process's actor ends, and its program hears the end of its pipes", "[ends]") {
  for (const auto how : all_means)
    DYNAMIC_SECTION("ends " << to_string(how)) {
      events told;
      {
        runtime rt{{.loops = 1, .grace = 5s, .install_signal_handlers = false}};
        const std::function<void()> stop_without_children = [&] {
          if (has_no_children())
            rt.stop();
          else
            rt.reactor().call_later(1ms, [&] { stop_without_children(); });
        };
        const auto begin = [&](reporter& p) {
          rt.reactor().call_later(1ms, [&] {
            end(rt, p, how);
            stop_without_children();
          });
        };
        spawn_process(rt, reports(told, {.on_made = begin}), "cat");
        rt.run();
      }
      CHECK(told.count("made") == 1);
      if (how == means::stop) // nobody is left who would wait for it
        ::waitid(P_ALL, 0, nullptr, WEXITED);
      CHECK(has_no_children());
    }
}
