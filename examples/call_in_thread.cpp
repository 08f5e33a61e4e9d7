// Runs a function that blocks in a thread, while the reactor goes on.
//
//   $ build/release/examples/call_in_thread

#include <cstdio>
#include <thread>

#include <troupe/runtime/runtime.hpp>

using namespace std::chrono_literals;

void a_silly_blocking_function(const char* text) {
  std::this_thread::sleep_for(2s);
  std::puts(text);
}

int main() {
  troupe::runtime rt;
  rt.reactor().call_in_thread([&] {
    a_silly_blocking_function("2 seconds have passed");
    rt.reactor().call_from_thread([&] { rt.stop(); });
  });
  rt.reactor().call_later(1s, [] { std::puts("the reactor runs meanwhile"); });
  return rt.run().exit_code();
}
