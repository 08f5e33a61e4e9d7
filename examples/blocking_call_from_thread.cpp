// A thread that blocks asks the reactor for something that takes time, and waits for it.
//
//   $ build/release/examples/blocking_call_from_thread

#include <cstdio>
#include <exception>

#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/threads.hpp>

using namespace std::chrono_literals;

void in_thread(troupe::runtime& rt) {
  const auto ask_the_reactor = [&](int question) {
    return troupe::defer_later(rt.reactor(), 100ms, [question] {
      if (question != 42)
        throw std::invalid_argument("wrong question");
      return "the answer";
    });
  };
  for (const int question : {42, 43})
    try {
      std::puts(
        troupe::blocking_call_from_thread(rt.reactor(), [&] { return ask_the_reactor(question); }));
    } catch (const std::exception& e) {
      std::puts(e.what());
    }
  rt.reactor().call_from_thread([&] { rt.stop(); });
}

int main() {
  troupe::runtime rt;
  rt.reactor().call_in_thread([&] { in_thread(rt); });
  return rt.run().exit_code();
}
