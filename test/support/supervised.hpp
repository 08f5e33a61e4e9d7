#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <caf/atom.hpp>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/net/net_children.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

namespace troupe::testing {

using crash_atom = caf::atom_constant<caf::atom("crash")>;

/// Sends everything back.
class echo : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view data) override { transport().write(data); }
};

/// Crashes when it is told to.
class frail_factory : public factory {
public:
  frail_factory(caf::actor_config& cfg, events* log) : factory(cfg), log_(log) {}
  protocol_ptr build_protocol(const net_address&) override { return make_protocol<echo>(); }
  void start_factory() override { log_->add("start"); }
  caf::behavior make_behavior() override {
    return {[](crash_atom) {
      throw std::runtime_error("the factory crashes");
    }};
  }

private:
  events* log_;
};

inline void expect_echo(client& c, const std::string& text = "hi") {
  c.send(text);
  CHECK(c.receive(text.size()) == text);
}

inline void expect_echo(std::uint16_t port) {
  client c{port};
  expect_echo(c);
}

/// Runs `fn` on loop 0 and waits for what comes of it.
template <class F>
auto on_loop(running& server, F fn) {
  return blocking_call_from_thread(server.rt.reactor(), std::move(fn));
}

} // namespace troupe::testing
