// Between the loop and other threads: bench_threads call-from-thread|defer-to-thread [COUNT]
// Prints operations for each second, and for each second of CPU.

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

#include "process.hpp"

namespace {

/// One thread queues calls as fast as it can; each must come in its turn.
void call_from_thread(troupe::runtime& rt, int count) {
  int next = 0;
  bool in_order = true;
  std::thread foreign;
  rt.reactor().call_when_running([&] {
    foreign = std::thread{[&] {
      for (int i = 0; i < count; ++i)
        rt.reactor().call_from_thread([&, i] {
          in_order = in_order && i == next;
          if (++next == count)
            rt.stop();
        });
    }};
  });
  rt.run();
  foreign.join();
  if (!in_order)
    std::exit(1);
}

/// One call after the other: to a thread and back.
class round_trips {
public:
  round_trips(troupe::runtime& rt, int count) : rt_(rt), left_(count) {}
  void next() {
    troupe::defer_to_thread(rt_.reactor(), [n = left_] {
      return n - 1;
    }).add_callback([this](int n) {
      left_ = n;
      if (left_ == 0)
        return rt_.stop();
      next();
    });
  }

private:
  troupe::runtime& rt_;
  int left_;
};

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = 1, .max_pool_threads = 1, .logger = quiet}};
  if (what == "call-from-thread") {
    const int count = bench::count_of(argc, argv, 10'000'000);
    const bench::stopwatch watch;
    call_from_thread(rt, count);
    watch.print(count);
  } else if (what == "defer-to-thread") {
    const int count = bench::count_of(argc, argv, 100'000);
    round_trips trips{rt, count};
    rt.reactor().call_when_running([&] { trips.next(); });
    const bench::stopwatch watch;
    rt.run();
    watch.print(count);
  } else {
    std::fprintf(stderr, "bench_threads call-from-thread|defer-to-thread [COUNT]\n");
    return 2;
  }
}
