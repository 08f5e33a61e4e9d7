// Time: calls that come later, once or again and again; and a clock that is moved by hand.

#include <cstdio>
#include <cstring>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/looping_call.hpp>
#include <troupe/runtime/react.hpp>
#include <troupe/testing/manual_clock.hpp>

using namespace std::chrono_literals;

// [later]
void later(troupe::clock& clock) {
  clock.call_later(2s, [] { std::puts("two seconds"); });
  auto never = clock.call_later(3s, [] { std::puts("this is never printed"); });
  auto moved = clock.call_later(4s, [] { std::puts("five seconds"); });
  clock.call_later(1s, [never, moved]() mutable {
    std::puts("one second");
    never.cancel();
    moved.delay(1s); // one more than was said
  });
}
// [/later]

// [by_hand]
void move_by_hand() {
  troupe::testing::manual_clock clock;
  later(clock);
  for (int second = 1; second <= 5; ++second)
    clock.advance(1s); // makes what is due
  std::printf("%zu calls are left\n", clock.get_delayed_calls().size());
}
// [/by_hand]

// [every]
void every_second() {
  troupe::testing::manual_clock clock;
  auto beat = troupe::looping_call::with_count(clock, [](std::int64_t count) {
    std::printf("tick, %d since the last\n", static_cast<int>(count));
  });
  beat.start(1s);
  clock.advance(1s);
  clock.advance(3s); // as if the loop had been busy: missed calls are not made up for
  beat.stop();
  clock.advance(1s);
}
// [/every]

// [real]
troupe::deferred<void> real_time(troupe::runtime& rt) {
  for (int n = 3; n > 0; --n) {
    std::printf("%d ...\n", n);
    co_await troupe::defer_later(rt.reactor(), 50ms);
  }
}
// [/real]

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "every") == 0)
    every_second();
  else if (argc > 1 && std::strcmp(argv[1], "by_hand") == 0)
    move_by_hand();
  else {
    troupe::runtime rt;
    return troupe::react(rt, real_time);
  }
}
