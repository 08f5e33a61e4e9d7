// Runs a long calculation in a thread, and gets its result on the loop as a deferred.
//
//   $ build/release/examples/defer_to_thread

#include <cstdio>

#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

unsigned long long do_long_calculation() {
  unsigned long long steps = 0; // of the number below 300,000 that takes longest to come down to 1
  for (unsigned long long start = 1; start < 300'000; ++start) {
    unsigned long long taken = 0;
    for (auto n = start; n != 1; ++taken)
      n = n % 2 == 0 ? n / 2 : 3 * n + 1;
    steps = std::max(steps, taken);
  }
  return steps;
}

int main() {
  troupe::runtime rt;
  rt.reactor().suggest_thread_pool_size(30);
  troupe::defer_to_thread(rt.reactor(), do_long_calculation)
    .add_callback([](unsigned long long steps) { std::printf("%llu\n", steps); })
    .add_errback([](const troupe::failure& f) { std::puts(f.brief_traceback().c_str()); })
    .add_both([&] { rt.stop(); });
  return rt.run().exit_code();
}
