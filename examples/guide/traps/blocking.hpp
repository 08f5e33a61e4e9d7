#pragma once

#include <chrono>
#include <cstdio>
#include <thread>

#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

/// Stands for what blocks: a database, a slow disk, `std::system`.
inline int look_up() {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  return 42;
}

// [wrong]
inline void answer_at_once(troupe::runtime& rt) {
  std::printf("the answer is %d\n", look_up()); // nothing else happens on this loop meanwhile
  rt.reactor().call_later(std::chrono::milliseconds(100), [&rt] { rt.stop(); });
}
// [/wrong]

// [right]
inline void answer_from_thread(troupe::runtime& rt) {
  troupe::defer_to_thread(rt.reactor(), look_up)
    .add_callback([](int answer) { std::printf("the answer is %d\n", answer); })
    .add_both([&rt] { rt.stop(); });
}
// [/right]

// [ticks]
inline int run_with_tick(void (*work)(troupe::runtime&)) {
  troupe::runtime rt{{.loops = 1}};
  const auto start = std::chrono::steady_clock::now();
  rt.reactor().call_later(std::chrono::milliseconds(50), [start] {
    const bool late = std::chrono::steady_clock::now() - start > std::chrono::milliseconds(250);
    std::printf("a call that is due after 50 ms comes %s\n",
                late ? "250 ms late, or more" : "in time");
  });
  rt.reactor().call_when_running([&] { work(rt); });
  return rt.run().exit_code();
}
// [/ticks]
