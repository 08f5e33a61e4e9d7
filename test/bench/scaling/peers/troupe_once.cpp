// Troupe's side of the actor benchmarks: troupe_once BENCHMARK LOOPS SIZE
// Prints the operations, the seconds, the seconds of CPU time and the result.

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "benchmarks.hpp"
#include "measure.hpp"

int main(int argc, char** argv) {
  const auto& all = scaling::benchmarks;
  const auto what = std::find_if(all.begin(), all.end(), [&](const auto& b) {
    return argc == 4 && std::string_view{argv[1]} == b.name;
  });
  if (what == all.end()) {
    std::fprintf(stderr, "troupe_once BENCHMARK LOOPS SIZE\n");
    return 2;
  }
  const auto loops = static_cast<std::size_t>(std::max(1, std::atoi(argv[2])));
  const auto found = scaling::measure(*what, loops, std::atoll(argv[3]), 100);
  if (!found)
    return 1;
  std::printf("%lld %.9f %.9f %lld\n", static_cast<long long>(found->operations), found->seconds,
              found->cpu_seconds, static_cast<long long>(found->result));
}
