// Says hello from the reactor, and stops.
//
//   $ build/release/examples/hello

#include <cstdio>

#include <troupe/runtime/runtime.hpp>

int main() {
  troupe::runtime rt{};
  rt.reactor().call_when_running([&] {
    std::puts("Hello from the reactor loop!");
    std::puts("Lately I feel like I'm stuck in a rut.");
    rt.stop();
  });
  std::puts("Starting the reactor.");
  return rt.run().exit_code();
}
