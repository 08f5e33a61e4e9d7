// What goes wrong, as a value.

#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>

using troupe::errc;
using troupe::failure;

// [kinds]
void show(const failure& why) {
  std::printf("%s: %s\n", why.type_name().c_str(), why.message().c_str());
}

void kinds() {
  show(errc::timed_out);                              // a bare code: allocates nothing
  show({errc::connection_refused, "127.0.0.1:8123"}); // with what only we know
  show(std::make_error_code(std::errc::no_such_file_or_directory)); // the system's
  show(std::out_of_range{"there are only three"});                  // an exception
}
// [/kinds]

// [react]
void react_to(const failure& why) {
  if (why.check(errc::connection_done))
    std::puts("nothing to do");
  else if (why.check(std::errc::connection_refused)) // also a system's code that means this
    std::puts("try again later");
  else if (why.check<std::logic_error>())
    std::puts("fix the program");
  else
    std::printf("give up: %s\n", why.message().c_str());
}
// [/react]

// [trap]
void trap() {
  troupe::fail<int>(errc::idle_timed_out)
    .add_errback([](const failure& why) {
      why.trap(errc::timed_out, errc::idle_timed_out); // throws again what is none of these
      return 0;
    })
    .add_callback([](int value) { std::printf("went on with %d\n", value); });
}
// [/trap]

// [unhandled]
void unhandled() {
  troupe::set_unhandled_hook([](const troupe::unhandled_failure& what) noexcept {
    std::printf("nobody handled: %s\n", what.why.message().c_str());
  });
  troupe::fail(errc::no_such_child).add_callback([] { std::puts("never printed"); });
}
// [/unhandled]

int main(int, char** argv) {
  const std::string what = argv[1];
  if (what == "kinds") {
    kinds();
  } else if (what == "react") {
    react_to(errc::connection_done);
    react_to(std::make_error_code(std::errc::connection_refused));
    react_to(std::out_of_range{"there are only three"});
    react_to({errc::line_too_long, "from a stranger"});
  } else if (what == "trap") {
    trap();
  } else {
    unhandled();
  }
}
