// A tree that heals: a counter that crashes, and an audience that depends on it.
//
//   $ build/release/examples/supervision
//
// The counter crashes at three. Its supervisor starts it again, and the audience after it; when that
// happens for the third time within ten seconds it gives up, the root sees it, and the program ends.

#include <cstdio>
#include <memory>
#include <stdexcept>

#include <spdlog/logger.h>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/runtime/floating_actor.hpp>

using namespace std::chrono_literals;

class counter : public troupe::floating_actor {
public:
  using troupe::floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    call_later(50ms, [this] { count(); });
    return {[](caf::unit_t) {
    }};
  }

private:
  void count() {
    if (++value_ == 3)
      throw std::runtime_error("cannot count to three");
    std::printf("  %d\n", value_);
    call_later(50ms, [this] { count(); });
  }
  int value_ = 0;
};

class audience : public troupe::floating_actor {
public:
  using troupe::floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    std::puts("  the audience listens");
    return {[](caf::unit_t) {
    }};
  }
};

void print(const troupe::supervisor_event& event) {
  std::puts(to_string(event).c_str());
}

int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  // Each decision is logged too; here it is printed instead.
  troupe::runtime rt{{.loops = 1, .logger = std::make_shared<spdlog::logger>("quiet")}};

  troupe::supervisor_options show;
  show.name = "show";
  show.strategy = troupe::restart_strategy::rest_for_one;
  show.intensity = 2;
  show.period = 10s;
  show.backoff = {.initial = 100ms};
  show.observer = print;

  troupe::supervisor_options top;
  top.name = "root";
  top.observer = [&rt](const troupe::supervisor_event& event) {
    print(event);
    if (event.kind == troupe::supervisor_event_kind::child_removed)
      rt.stop();
  };

  troupe::root_supervisor(rt, top)->start_child(
    troupe::supervisor::as_child(show,
                                 {{.id = "counter", .start = troupe::start_actor<counter>()},
                                  {.id = "audience", .start = troupe::start_actor<audience>()}},
                                 troupe::restart_type::temporary));
  return rt.run().exit_code();
}
