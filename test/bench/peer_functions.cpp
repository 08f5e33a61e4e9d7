// The peer of deferreds: what one would write by hand, a vector of std::function continuations.
// peer_functions chain|chain-small [COUNT]
// Prints CPU ns for each of ten callbacks built and fired, and allocations for all ten.

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "allocations.hpp"
#include "chain.hpp"
#include "process.hpp"

namespace {

struct continuations {
  std::vector<std::function<long(long)>> functions;
  void fire(long v) {
    for (auto& f : functions)
      v = f(v);
  }
};

template <class Step>
void chain(Step s) {
  continuations c;
  for (int i = 0; i < bench::links; ++i)
    c.functions.emplace_back(s);
  c.fire(1);
}

template <class Step>
void measure(Step s, int count) {
  const auto start = bench::cpu_ns();
  for (int i = 0; i < count; ++i)
    chain(s);
  const auto took = bench::cpu_ns() - start;
  const auto before = bench::allocations;
  chain(s);
  std::printf("%.3f %zu\n", took / count / bench::links, bench::allocations - before);
}

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const int count = bench::count_of(argc, argv, 300'000);
  if (what == "chain")
    measure(bench::step{&bench::sink, 1, 2}, count);
  else
    measure(bench::small_step{&bench::sink}, count);
  return bench::sink == 0 ? 1 : 0;
}
