// Troupe's side of the publish benchmark: bench_topics publish [COUNT]
// One topic with a thousand subscribed actors on one loop; a round is over when all have had it.
// Prints deliveries for each second, and for each second of CPU; and the bytes held afterwards.

#include <cstdio>
#include <memory>
#include <string>

#include <caf/send.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/actors/topic.hpp>
#include <troupe/runtime/runtime.hpp>

#include "process.hpp"

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;

constexpr int subscribers = 1000;
const std::string text(64, 'x');

class publisher : public troupe::pinned_actor {
public:
  publisher(caf::actor_config& cfg, troupe::runtime& rt, troupe::topic room, int rounds)
    : pinned_actor(cfg), rt_(rt), room_(std::move(room)), left_(rounds) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      if (left_-- > 0)
        return room_.publish(text);
      rt_.reactor().call_from_thread([&rt = rt_] { rt.stop(); });
    }};
  }

private:
  troupe::runtime& rt_;
  troupe::topic room_;
  int left_;
};

class subscriber : public troupe::pinned_actor {
public:
  subscriber(caf::actor_config& cfg, caf::actor source, int& delivered)
    : pinned_actor(cfg), source_(std::move(source)), delivered_(delivered) {}
  caf::behavior make_behavior() override {
    return {[this](const troupe::published& p) {
      if (p.bytes.size() == text.size() && ++delivered_ % subscribers == 0)
        send(source_, go_atom::value);
    }};
  }

private:
  caf::actor source_;
  int& delivered_;
};

} // namespace

int main(int argc, char** argv) {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  const auto rounds = bench::count_of(argc, argv, 5'000'000) / subscribers;
  int delivered = 0;
  {
    const troupe::topic room{rt};
    const caf::actor source = rt.spawn_on<publisher>(0, std::ref(rt), room, rounds);
    for (int i = 0; i < subscribers; ++i)
      room.subscribe(rt.spawn_on<subscriber>(0, source, std::ref(delivered)));
    caf::anon_send(source, go_atom::value);
  }
  const bench::stopwatch watch;
  rt.run();
  if (delivered != rounds * subscribers) {
    std::fprintf(stderr, "bench_topics: %d delivered, not %d\n", delivered, rounds * subscribers);
    return 1;
  }
  watch.print(delivered);
}
