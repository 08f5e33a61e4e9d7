// Troupe's side of the timer benchmark: bench_timers [COUNT]
// Prints, for each timer: CPU ns of schedule + cancel, CPU ns of schedule + fire, bytes.

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/runtime/runtime.hpp>

#include "timers.hpp"

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .logger = quiet}};
  auto& clock = rt.reactor();
  std::vector<troupe::delayed_call> calls(static_cast<std::size_t>(count));
  bench::delays delays{count};
  long fired = 0;

  const auto memory = bench::resident();
  auto start = bench::cpu_ns();
  for (auto& call : calls)
    call = clock.call_later(troupe::duration{delays.next()}, [&fired] { ++fired; });
  const auto bytes = (bench::resident() - memory) / count;
  for (auto& call : calls)
    call.cancel();
  const auto cancelled = (bench::cpu_ns() - start) / count;

  start = bench::cpu_ns();
  for (auto& call : calls)
    call = clock.call_later(troupe::duration{delays.next()}, [&] {
      if (++fired == count)
        rt.stop();
    });
  rt.run();
  const auto made = (bench::cpu_ns() - start) / count;
  std::printf("%.1f %.1f %.1f\n", cancelled, made, bytes);
  return fired == count ? 0 : 1;
}
