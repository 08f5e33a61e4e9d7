// What deferreds cost: bench_deferreds chain|chain-small|await|looping [COUNT]
// chain: CPU ns for each of ten callbacks built and fired, and allocations for all ten.
// await: CPU ns for each co_await of a ready deferred; allocations of a coroutine that awaits a
//        pending one, beyond its frame and the deferred it awaits.
// looping: by how many ns the last of COUNT calls of a looping_call came beside its time.

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/looping_call.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "allocations.hpp"
#include "chain.hpp"
#include "process.hpp"

using namespace troupe;

namespace {

template <class Step>
void chain(Step s) {
  promise<long> p;
  auto d = p.get_deferred();
  for (int i = 0; i < bench::links; ++i)
    d.add_callback(s);
  p.callback(1);
}

template <class Step>
void measure_chain(Step s, int count) {
  const auto start = bench::cpu_ns();
  for (int i = 0; i < count; ++i)
    chain(s);
  const auto took = bench::cpu_ns() - start;
  const auto before = bench::allocations;
  chain(s);
  std::printf("%.3f %zu\n", took / count / bench::links, bench::allocations - before);
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

void measure_await(int count) {
  const auto start = bench::cpu_ns();
  bench::sink += *sum_of_ready(count).take();
  const auto took = bench::cpu_ns() - start;
  promise<long> p;
  auto pending = p.get_deferred();
  const auto before = bench::allocations;
  auto d = wait_for(std::move(pending));
  p.callback(1);
  bench::sink += *std::move(d).take();
  std::printf("%.3f %zu\n", took / count, bench::allocations - before - 1); // 1: the frame
}

void measure_looping(int count) {
  testing::manual_clock clock;
  const auto interval = std::chrono::nanoseconds(1'000'003); // no round number
  const auto start = clock.now();
  auto last = start;
  looping_call loop{clock, [&] {
                      last = clock.now();
                      ++bench::sink;
                    }};
  loop.start(interval, false);
  const auto cpu = bench::cpu_ns();
  for (int i = 0; i < count; ++i)
    clock.advance(interval);
  const auto took = bench::cpu_ns() - cpu;
  const auto missed = static_cast<double>(std::abs(bench::sink - count));
  std::printf("%.0f %.3f\n",
              std::abs(static_cast<double>((last - start - count * interval).count())) + missed,
              took / count);
}

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "chain")
    measure_chain(bench::step{&bench::sink, 1, 2}, bench::count_of(argc, argv, 300'000));
  else if (what == "chain-small")
    measure_chain(bench::small_step{&bench::sink}, bench::count_of(argc, argv, 300'000));
  else if (what == "await")
    measure_await(bench::count_of(argc, argv, 3'000'000));
  else if (what == "looping")
    measure_looping(bench::count_of(argc, argv, 1'000'000));
  else
    return std::fprintf(stderr, "bench_deferreds chain|chain-small|await|looping [COUNT]\n"), 2;
  return bench::sink == 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
