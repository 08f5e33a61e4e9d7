// What a supervisor tells of its children: in the log, and in numbers.

#include <troupe/actors/supervisor.hpp>

#include <sstream>
#include <stdexcept>

#include <caf/send.hpp>
#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/prometheus.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

template <class Base>
class fragile : public Base {
public:
  using Base::Base;
  caf::behavior make_behavior() override {
    return {[](const std::string& text) {
      throw std::runtime_error(text);
    }};
  }
};

} // namespace

TEMPLATE_TEST_CASE("a child's exception names its id, and its restart is counted", "[supervisor]",
                   fragile<pinned_actor>, fragile<floating_actor>) {
  std::ostringstream text;
  const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text);
  sink->set_pattern("%l %v");
  testing::manual_runtime rt;
  rt.logger().sinks().push_back(sink);
  const auto rooms = rt.spawn_on<supervisor>(
    0, supervisor_options{.name = "rooms", .intensity = 5},
    std::vector<child_spec>{{.id = "lobby", .start = start_actor<TestType>()},
                            {.id = "attic", .start = start_actor<TestType>()}});
  rt.settle();
  auto& self = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(rooms));
  const auto lobby = [&] {
    return self.which_children().at(0).actor;
  };
  for (int i = 1; i <= 2; ++i) {
    const auto before = lobby();
    caf::anon_send(before, "boom");
    rt.settle();
    CHECK(lobby() != before);
    CHECK(rt.scheduler().role_of(before.id()).empty()); // it is forgotten with its end
    CHECK(rt.scheduler().role_of(lobby().id()) == "child lobby of rooms");
    CHECK(prometheus_text(rt).find(
            "\ntroupe_supervisor_restarts_total{child=\"lobby\",supervisor=\"rooms\"} "
            + std::to_string(i) + '\n')
          != std::string::npos);
  }
  CHECK(text.str().find(", child lobby of rooms] unhandled exception in the handler of (\"boom\"): "
                        "std::runtime_error: boom\n")
        != std::string::npos);
  CHECK(prometheus_text(rt).find("attic") == std::string::npos);
  CHECK(testing::logged_errors{rt}.flush("boom").size() == 2);
  rt.logger().sinks().pop_back();
}

TEST_CASE("children of a dynamic supervisor have no numbers of their own", "[supervisor]") {
  testing::manual_runtime rt;
  const auto pool = rt.spawn_on<supervisor>(
    0, supervisor_options{.name = "pool", .strategy = restart_strategy::dynamic, .intensity = 5});
  rt.settle();
  auto& self = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(pool));
  rt.in_turn([&] { self.start_child({.id = "1", .start = start_actor<fragile<pinned_actor>>()}); });
  rt.settle();
  caf::anon_send(self.which_children().at(0).actor, "boom");
  rt.settle();
  CHECK(testing::logged_errors{rt}.flush("boom").size() == 1);
  CHECK(prometheus_text(rt).find("\ntroupe_supervisor_restarts_total{supervisor=\"pool\"} 1\n")
        != std::string::npos);
}
