// Calls a function every second, until it ends its own loop; then the program stops.
//
//   $ build/release/examples/looping_call

#include <cstdio>

#include <troupe/runtime/looping_call.hpp>
#include <troupe/runtime/runtime.hpp>

using namespace std::chrono_literals;

int main() {
  troupe::runtime rt;
  int count = 0;
  troupe::looping_call loop{rt.reactor(), [&] {
                              std::printf("called %d times\n", ++count);
                              std::fflush(stdout);
                              if (count == 3)
                                loop.stop();
                            }};
  rt.reactor().call_when_running([&] {
    loop.start(1s)
      .add_callback([] { std::puts("Loop done."); })
      .add_errback([](const troupe::failure& f) { std::puts(f.brief_traceback().c_str()); })
      .add_both([&] { rt.stop(); });
  });
  return rt.run().exit_code();
}
