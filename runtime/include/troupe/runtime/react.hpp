#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <utility>

#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/runtime/unique_function.hpp>

namespace troupe {

/// Ends `react` with this exit code when it is thrown out of the program's function, or its deferred
/// fails with it. Nothing is logged then. Source: Python's SystemExit
struct exit_program : std::exception {
  explicit exit_program(int with) noexcept : code(with) {}
  [[nodiscard]] const char* what() const noexcept override { return "exit_program"; }
  int code;
};

namespace detail {
int react(runtime& rt, unique_function<deferred<int>()> main);
}

/// Runs `main(rt)` on loop 0 and turns `rt` until what it returns has come: the frame of a program
/// that does one thing and ends.
///
/// ```cpp
/// troupe::deferred<void> fetch(troupe::runtime& rt, std::string url); // a coroutine, say
///
/// int main(int, char** argv) {
///   troupe::runtime rt;
///   return troupe::react(rt, [&](troupe::runtime& r) { return fetch(r, argv[1]); });
/// }
/// ```
///
/// If the runtime is stopped first, as by SIGINT, the deferred is cancelled; the end waits for it, for
/// the grace time, so that it can clean up.
///
/// \param main  called as `main(rt)`; a value it returns, or its deferred's, is taken for the exit
///              code if it is an int
/// \returns the exit code for the process: 0; 1 if `main` failed, which is logged, or the runtime
///          gave up; `exit_program::code`; if the runtime was stopped first and nothing but the
///          cancellation came of it, 128 and the signal's number (130 for SIGINT), or 0 without one
/// \throws reactor_already_running, reactor_not_restartable: see `reactor::run`
/// Thread: the one that shall be loop 0's. Source: twisted.internet.task.react
template <std::invocable<runtime&> F>
[[nodiscard]] int react(runtime& rt, F main) {
  return detail::react(rt, [&rt, main = std::move(main)]() mutable {
    using result = std::invoke_result_t<F&, runtime&>;
    using type = detail::next_t<void, detail::flow_t<result>>;
    if constexpr (std::is_same_v<type, int>)
      return maybe_deferred(main, rt);
    else
      return deferred<int>(maybe_deferred(main, rt).add_callback([] { return 0; }));
  });
}

} // namespace troupe
