// The peer of the timer benchmark: Asio's steady_timer. Prints, for each timer: CPU ns of schedule +
// cancel, CPU ns of schedule + fire, bytes.

#include <cstdio>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "timers.hpp"

int main() {
  asio::io_context io{1};
  bench::delays delays;
  long fired = 0;

  const auto memory = bench::resident();
  std::vector<asio::steady_timer> timers;
  timers.reserve(bench::timers);
  for (int i = 0; i < bench::timers; ++i)
    timers.emplace_back(io);
  const auto schedule = [&](auto& timer) {
    timer.expires_after(std::chrono::nanoseconds{delays.next()});
    timer.async_wait([&fired](const asio::error_code& ec) {
      if (!ec)
        ++fired;
    });
  };
  auto start = bench::cpu_ns();
  for (auto& timer : timers)
    schedule(timer);
  const auto bytes = (bench::resident() - memory) / bench::timers;
  for (auto& timer : timers)
    timer.cancel();
  io.run(); // the cancelled handlers
  const auto cancelled = (bench::cpu_ns() - start) / bench::timers;

  io.restart();
  start = bench::cpu_ns();
  for (auto& timer : timers)
    schedule(timer);
  io.run();
  const auto made = (bench::cpu_ns() - start) / bench::timers;
  std::printf("%.1f %.1f %.1f\n", cancelled, made, bytes);
  return fired == bench::timers ? 0 : 1;
}
