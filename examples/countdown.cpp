// Counts down, one number a second, and stops.
//
//   $ build/release/examples/countdown

#include <chrono>
#include <cstdio>

#include <troupe/runtime/runtime.hpp>

using namespace std::chrono_literals;

class countdown {
public:
  explicit countdown(troupe::runtime& rt) : rt_(rt) {}

  void count() {
    if (left_ == 0)
      return rt_.stop();
    std::printf("%d ...\n", left_--);
    std::fflush(stdout);
    rt_.reactor().call_later(1s, [this] { count(); });
  }

private:
  troupe::runtime& rt_;
  int left_ = 5;
};

int main() {
  troupe::runtime rt{};
  countdown counter{rt};
  rt.reactor().call_when_running([&] { counter.count(); });
  std::puts("Start!");
  const auto ended = rt.run();
  std::puts("Stop!");
  return ended.exit_code();
}
