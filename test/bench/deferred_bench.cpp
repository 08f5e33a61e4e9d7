// What a deferred costs, beside what one would write by hand: a vector of std::function
// continuations. Prints the median of the rounds, which alternate between the two, and how often
// memory was allocated.
//
//   deferred_bench

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <vector>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred.hpp>

using namespace troupe;

namespace {

std::size_t allocations = 0;
long sink = 0;

constexpr int rounds = 21;
constexpr int links = 10;

// A callback with a capture of three pointers.
struct step {
  long* sum;
  long add;
  long unused;
  long operator()(long v) const {
    *sum += v;
    return v + add;
  }
};

struct by_hand {
  std::vector<std::function<long(long)>> continuations;
  void fire(long v) {
    for (auto& f : continuations)
      v = f(v);
  }
};

template <class Step>
void chain_by_hand(Step s, bool reserve) {
  by_hand chain;
  if (reserve)
    chain.continuations.reserve(links);
  for (int i = 0; i < links; ++i)
    chain.continuations.emplace_back(s);
  chain.fire(1);
}

template <class Step>
void chain(Step s) {
  promise<long> p;
  auto d = p.get_deferred();
  for (int i = 0; i < links; ++i)
    d.add_callback(s);
  p.callback(1);
}

deferred<long> sum_of_ready(int n) {
  long sum = 0;
  for (int i = 0; i < n; ++i)
    sum += co_await succeed(1L);
  co_return sum;
}

deferred<long> wait_for(deferred<long> d) {
  co_return co_await std::move(d);
}

struct contender {
  const char* name;
  int operations; // in one call of `run`
  std::function<void()> run;
  std::vector<double> ns = {};
};

void measure(std::vector<contender> all) {
  constexpr int calls = 20'000;
  for (int round = 0; round < rounds; ++round)
    for (auto& c : all) {
      const int n = std::max(1, calls / std::max(1, c.operations / 10));
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < n; ++i)
        c.run();
      const std::chrono::duration<double, std::nano> took =
        std::chrono::steady_clock::now() - start;
      c.ns.push_back(took.count() / n / c.operations);
    }
  for (auto& c : all) {
    std::sort(c.ns.begin(), c.ns.end());
    const auto before = allocations;
    c.run();
    std::printf("%-44s %8.2f ns  (%.2f to %.2f)  %zu allocations a run\n", c.name, c.ns[rounds / 2],
                c.ns.front(), c.ns.back(), allocations - before);
  }
}

} // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size))
    return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept {
  std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
  std::free(p);
}

int main() {
  const step s{&sink, 1, 2};
  const auto small = [sum = &sink](long v) {
    *sum += v;
    return v + 1;
  };
  std::puts("per callback, ten callbacks built and fired");
  measure({
    {"by hand, 3 pointers", links,
     [=] {
       chain_by_hand(s, false);
     }},
    {"by hand, 3 pointers, reserved", links,
     [=] {
       chain_by_hand(s, true);
     }},
    {"deferred, 3 pointers", links,
     [=] {
       chain(s);
     }},
    {"by hand, 1 pointer", links,
     [=] {
       chain_by_hand(small, false);
     }},
    {"by hand, 1 pointer, reserved", links,
     [=] {
       chain_by_hand(small, true);
     }},
    {"deferred, 1 pointer", links,
     [=] {
       chain(small);
     }},
  });
  std::puts("per await");
  measure({
    {"co_await of a ready deferred, and making it", 1000,
     [] {
       sink += *sum_of_ready(1000).take();
     }},
    {"coroutine that awaits a pending deferred", 1,
     [] {
       promise<long> p;
       auto d = wait_for(p.get_deferred());
       p.callback(1);
       sink += *std::move(d).take();
     }},
  });
  return sink == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
