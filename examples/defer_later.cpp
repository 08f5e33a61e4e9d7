// Calls a function later, and takes its result when it is there.
//
//   $ build/release/examples/defer_later

#include <cstdio>
#include <string>

#include <troupe/runtime/defer_later.hpp>
#include <troupe/runtime/runtime.hpp>

using namespace std::chrono_literals;

std::string describe(const std::string& what) {
  return "This will run 3.5 seconds after it was scheduled: " + what;
}

int main() {
  troupe::runtime rt;
  troupe::defer_later(rt.reactor(), 3500ms, [] {
    return describe("hello, world");
  }).add_callback([&](const std::string& text) {
    std::puts(text.c_str());
    rt.stop();
  });
  return rt.run().exit_code();
}
