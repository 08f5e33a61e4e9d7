#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/unique_function.hpp>

namespace troupe {

/// Calls a function again and again, at a fixed interval.
///
/// Calls fall on start + k * interval, in exact integer time: no drift. A call that comes late does
/// not move the later ones, and calls that were missed are skipped, never made up for. If the
/// function returns a deferred, the next call waits for it. If it fails, by an exception or by that
/// deferred, the loop ends with the failure.
///
/// ```cpp
/// looping_call beat(clock, [] { send_heartbeat(); });
/// beat.start(30s).add_errback([](failure f) { log(f); });
/// ```
///
/// Its destructor stops it; a deferred that the function returned is left to itself.
///
/// Thread: that of the clock. Source: twisted.internet.task.LoopingCall
class looping_call {
public:
  /// \param clock  must outlive the loop
  /// \param f  called with nothing; may return a deferred, anything else is ignored
  template <class F>
  requires std::invocable<F&> looping_call(clock& clock, F f)
    : looping_call(
      clock, [f = std::move(f)](std::int64_t) mutable { return call_once(f); }, false) {}

  /// Makes a loop whose function is told how many intervals have passed since its last call: one,
  /// unless calls were missed. The counts add up to the intervals since the start. A call that
  /// would have no interval to tell of is not made. With an interval of zero it is always one.
  ///
  /// \param f  called with a `std::int64_t` of at least 1
  template <class F>
  requires std::invocable<F&, std::int64_t>
  [[nodiscard]] static looping_call with_count(clock& clock, F f) {
    return looping_call(
      clock, [f = std::move(f)](std::int64_t count) mutable { return call_once(f, count); }, true);
  }

  looping_call(looping_call&&) noexcept = default;
  looping_call& operator=(looping_call&& other) noexcept;
  ~looping_call();

  /// Starts the loop. It may be started again after it was stopped or has ended, also within its
  /// function, or while the deferred of a call is awaited: two calls never overlap, so the first one
  /// is then made when that call is over, in a turn of its own. Each start has its own deferred.
  ///
  /// \param interval  zero or more; zero calls once in every turn of the clock
  /// \param now  whether the first call is made here, or one interval later
  /// \returns what fires when the loop was stopped, or fails as the function did. Cancelling it
  ///          stops the loop; dropping it changes nothing
  /// \throws std::logic_error if `interval` is negative or the loop is running
  chained<void> start(duration interval, bool now = true);

  /// Ends the loop, and fires its deferred; if the function's deferred is still awaited, then when
  /// that fires, or the function returns.
  ///
  /// \throws std::logic_error if it is not running
  void stop();

  /// Makes the next call one interval after now and counts from now on; nothing changes while the
  /// function's deferred is awaited.
  ///
  /// \throws std::logic_error if it is not running
  void reset();

  [[nodiscard]] bool running() const noexcept;

  /// Returns the interval of the latest start.
  [[nodiscard]] duration interval() const noexcept;

  /// Changes the interval, from the next call on. \throws std::logic_error if it is negative
  void set_interval(duration interval);

  /// Returns when the loop was started or reset.
  [[nodiscard]] time_point start_time() const noexcept;

  /// Prints such as `<looping_call every 1.5 s, running>`.
  friend std::ostream& operator<<(std::ostream& out, const looping_call& call);
  friend std::string to_string(const looping_call& call);

private:
  // Nothing if the call is done.
  using function = unique_function<std::optional<deferred<void>>(std::int64_t), 40>;

  class loop;

  template <class F, class... Args>
  static std::optional<deferred<void>> call_once(F& f, Args... args) {
    using result = std::invoke_result_t<F&, Args...>;
    if constexpr (detail::deferred_type<std::remove_cvref_t<result>>) {
      return std::invoke(f, args...).add_callback([] {});
    } else if constexpr (!std::is_same_v<detail::flow_t<result>, std::remove_cvref_t<result>>) {
      return maybe_deferred(f, args...).add_callback([] {}); // a failure or an outcome
    } else {
      static_cast<void>(std::invoke(f, args...));
      return std::nullopt;
    }
  }

  looping_call(clock& clock, function f, bool counts);

  std::shared_ptr<loop> loop_;
};

} // namespace troupe
