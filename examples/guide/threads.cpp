// Calls that block, in threads of their own; and threads that are not ours.

#include <cstdio>
#include <numeric>
#include <thread>
#include <vector>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/runtime/threads.hpp>

using namespace std::chrono_literals;

// [blocking]
/// Stands for what blocks: a database, a slow disk, a long calculation.
int sum_of(const std::vector<int>& numbers) {
  std::this_thread::sleep_for(100ms);
  return std::accumulate(numbers.begin(), numbers.end(), 0);
}
// [/blocking]

// [defer]
troupe::deferred<void> calculate(troupe::runtime& rt) {
  rt.reactor().call_later(20ms, [] { std::puts("the loop goes on meanwhile"); });
  const std::vector<int> numbers{20, 20, 2};
  auto summed = troupe::defer_to_thread(rt.reactor(), [numbers] { return sum_of(numbers); });
  const int sum = co_await std::move(summed);
  std::printf("the sum is %d\n", sum); // on the loop again
}
// [/defer]

// [other]
troupe::deferred<void> with_a_thread(troupe::runtime& rt) {
  troupe::promise<void> done;
  auto finished = done.get_deferred();
  std::thread other{[&rt, done = std::make_shared<troupe::promise<void>>(std::move(done))] {
    // A thread of ours must not touch what belongs to a loop. It hands a function over,
    rt.reactor().call_from_thread([] { std::puts("from the thread"); });
    // or waits for what a function on the loop returns.
    const int answer = troupe::blocking_call_from_thread(rt.reactor(), [] { return 42; });
    rt.reactor().call_from_thread([done, answer] {
      std::printf("the loop said %d\n", answer);
      done->callback();
    });
  }};
  other.detach();
  return finished;
}
// [/other]

int main(int argc, char**) {
  troupe::runtime rt;
  return argc > 1 ? troupe::react(rt, with_a_thread) : troupe::react(rt, calculate);
}
