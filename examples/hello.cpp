// Says hello from the reactor, and stops.
//
//   $ build/release/examples/hello

#include <cstdio>

#include <troupe/runtime/runtime.hpp>

int main() {
  troupe::runtime rt{};
  rt.reactor().call_when_running([&] {
    std::puts("Hello from the reactor loop!");
    rt.stop();
  });
  rt.run();
}
