// The peer of the timer benchmark, Asio's steady_timer: peer_asio_timers [COUNT]
// Prints, for each timer: CPU ns of schedule + cancel, CPU ns of schedule + fire, bytes.

#include <cstdio>
#include <cstdlib>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include "timers.hpp"

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  asio::io_context io{1};
  bench::delays delays{count};
  long fired = 0;

  const auto memory = bench::resident();
  std::vector<asio::steady_timer> timers;
  timers.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i)
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
  const auto bytes = (bench::resident() - memory) / count;
  for (auto& timer : timers)
    timer.cancel();
  io.run(); // the cancelled handlers
  const auto cancelled = (bench::cpu_ns() - start) / count;

  io.restart();
  start = bench::cpu_ns();
  for (auto& timer : timers)
    schedule(timer);
  io.run();
  const auto made = (bench::cpu_ns() - start) / count;
  std::printf("%.1f %.1f %.1f\n", cancelled, made, bytes);
  return fired == count ? 0 : 1;
}
