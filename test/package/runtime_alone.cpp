// Uses the lowest component, without the others.

#include <troupe/runtime/runtime.hpp>

int main() {
  troupe::runtime rt{{.loops = 1}};
  rt.reactor().call_when_running([&] { rt.stop(); });
  return rt.run().exit_code();
}
