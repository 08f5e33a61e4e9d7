// Runs programs for what they write, as a coroutine.
//
//   $ build/release/examples/process_output
//   expr says 42
//   test says 1
//   /no/such/program: No such file or directory: the process could not be started

#include <cstdio>

#include <troupe/net/get_process_output.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/react.hpp>

troupe::deferred<void> ask_programs(troupe::runtime& rt) {
  const std::vector<std::string> product{"6", "*", "7"}; // GCC 12 knows no lists within co_await
  const auto sum = co_await troupe::get_process_output(rt, "expr", product);
  std::printf("expr says %s", sum.c_str());
  const std::vector<std::string> greater{"1", "-gt", "2"};
  const auto code = co_await troupe::get_process_value(rt, "test", greater);
  std::printf("test says %d\n", code);
  try {
    co_await troupe::get_process_output(rt, "/no/such/program");
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
  }
}

int main() {
  troupe::runtime rt;
  return troupe::react(rt, ask_programs);
}
