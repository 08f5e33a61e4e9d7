// Many cores: where code runs, and work that is spread.

#include <cstdint>
#include <cstdio>
#include <vector>

#include <troupe/actors/ask.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;
using sum_atom = caf::atom_constant<caf::atom("sum")>;

// [worker]
class adder : public troupe::pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](sum_atom, std::uint64_t from, std::uint64_t to) {
      std::uint64_t sum = 0;
      for (; from < to; ++from)
        sum += from;
      return sum;
    }};
  }
};
// [/worker]

// [spread]
troupe::deferred<void> spread(troupe::runtime& rt) {
  std::vector<troupe::deferred<std::uint64_t>> parts;
  for (std::uint64_t i = 0; i < rt.loops(); ++i) {
    const auto worker = rt.spawn_on<adder>(i);
    parts.push_back(
      troupe::ask<std::uint64_t>(rt, worker, 10s, sum_atom::value, i * 1000, (i + 1) * 1000));
  }
  const auto sums = co_await troupe::gather_results(std::move(parts));
  for (std::size_t i = 0; i < sums.size(); ++i)
    std::printf("loop %zu has added up to %llu\n", i, static_cast<unsigned long long>(sums[i]));
}
// [/spread]

// [main]
int main() {
  troupe::runtime rt{{.loops = 2}};
  return troupe::react(rt, spread);
}
// [/main]
