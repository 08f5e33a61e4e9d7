#pragma once

#include <cstdio>
#include <memory>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/testing/manual_clock.hpp>

/// Says when it is destroyed.
struct guest {
  ~guest() { std::puts("the guest is gone"); }
};

// [wrong]
inline troupe::deferred<void> greet_from_lambda(troupe::clock& clock) {
  auto greet = [&clock, who = std::make_shared<guest>()]() -> troupe::deferred<void> {
    co_await troupe::defer_later(clock, std::chrono::seconds(1));
    std::puts("the coroutine goes on"); // and if it read `who` here, that would be freed memory
  };
  return greet();
} // `greet` ends here, and its captures with it; the coroutine does not
// [/wrong]

// [right]
inline troupe::deferred<void> greet(troupe::clock& clock, std::shared_ptr<guest> who) {
  co_await troupe::defer_later(clock, std::chrono::seconds(1));
  std::printf("the coroutine goes on, with its %s\n", who ? "guest" : "nobody");
}

inline troupe::deferred<void> greet_from_function(troupe::clock& clock) {
  return greet(clock, std::make_shared<guest>()); // the coroutine has its parameters for itself
}
// [/right]

inline void run_greeting(troupe::deferred<void> (*greeting)(troupe::clock&)) {
  troupe::testing::manual_clock clock;
  greeting(clock).add_callback([] {});
  clock.advance(std::chrono::seconds(1));
}
