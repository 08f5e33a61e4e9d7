#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <caf/atom.hpp>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/net/net_children.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/echo.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

namespace troupe::testing {

using crash_atom = caf::atom_constant<caf::atom("crash")>;

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

} // namespace troupe::testing
