// Troupe's side of the publish benchmark: bench_topics publish [COUNT]
// One topic with a thousand subscribed actors on one loop; a round is over when all have had it.
// Prints deliveries for each second, and for each second of CPU; and the bytes held afterwards.
//
// bench_topics subscriptions [COUNT]: COUNT subscriptions to a tenth as many topics with names, by a
// hundredth as many pinned actors, which there are before. Prints the bytes that these took, in all and
// for each.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/send.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/actors/topics.hpp>
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

/// Subscribes to a hundred topics.
class member : public troupe::pinned_actor {
public:
  static constexpr int topics = 100;

  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }

  // Each topic gets ten subscribers, one here and one there.
  void join(const troupe::topics& rooms, long number, long count) {
    for (long k = 0; k < topics; ++k)
      rooms.get("room " + std::to_string((number * topics + k) * 7919 % count)).subscribe(this);
  }
};

int hold_subscriptions(troupe::runtime& rt, int count) {
  const troupe::topics rooms{rt};
  const int topics = count / 10;
  std::vector<caf::actor> members;
  double bytes = 0;
  std::size_t subscribed = 0, named = 0;
  rt.reactor().call_when_running([&] {
    const auto each = [&](auto fn) {
      for (std::size_t i = 0; i < members.size(); ++i) {
        auto& one = *static_cast<member*>(caf::actor_cast<caf::abstract_actor*>(members[i]));
        one.enter([&] { fn(one, static_cast<long>(i)); });
      }
    };
    for (int i = 0; i < count / member::topics; ++i)
      members.push_back(rt.spawn_on<member>(0));
    each([](member&, long) {}); // starts it
    const auto before = bench::resident();
    each([&](member& one, long i) { one.join(rooms, i, topics); });
    bytes = bench::resident() - before;
    named = rooms.size();
    for (const auto& name : rooms.names())
      subscribed += rooms.find(name).subscribers();
    rt.stop();
  });
  rt.run();
  members.clear();
  if (named != static_cast<std::size_t>(topics) || subscribed != static_cast<std::size_t>(count)
      || rooms.size() != 0) {
    std::fprintf(stderr, "bench_topics: %zu topics with %zu subscriptions, and %zu in the end\n",
                 named, subscribed, rooms.size());
    return 1;
  }
  std::printf("%.0f %.1f\n", bytes, bytes / count);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  if (argc > 1 && argv[1] == std::string_view{"subscriptions"})
    return hold_subscriptions(rt,
                              std::max(1000, bench::count_of(argc, argv, 1'000'000) / 1000 * 1000));
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
