#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/detail/deferred_links.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/source_location.hpp>

namespace troupe::detail {

/// The timer of one `deferred::add_timeout`. The link of the chain owns it, so whatever ends the
/// wait takes the timer back.
class deferred_timer {
public:
  deferred_timer(deferred_state& s, duration delay, clock& c, const source_location& where);

  /// Takes the timer back if it still runs. Tells whether it has run out.
  bool stop();
  duration delay() const noexcept { return delay_; }

  /// What a failure of `errc::cancelled` becomes when this timer was the cause.
  failure timed_out() const;

private:
  tracked_call call_;
  duration delay_;
  source_location where_; // who asked for it
  bool expired_ = false;
};

/// Returns the failure of something that took longer than `delay`: its text names it, the time, and
/// the line that asked for it.
failure timed_out(std::string_view what, duration delay, const source_location& where);

template <class F, class T>
concept timeout_callback =
  std::same_as<F, std::nullptr_t> || std::invocable<F&, outcome<T>, duration>;

template <class T, class F>
struct timeout_link {
  std::unique_ptr<deferred_timer> timer;
  F on_timeout_cancel;

  void run(deferred_state& s) {
    if (!timer->stop())
      return;
    if constexpr (!std::same_as<F, std::nullptr_t>) {
      auto call = [this](outcome<T> result) {
        return std::invoke(on_timeout_cancel, std::move(result), timer->delay());
      };
      settle<T>(s, call, take_outcome<T>(s));
    } else if (s.failed() && s.why().check(errc::cancelled)) {
      s.take_failure();
      s.set_failure(timer->timed_out());
    }
  }
};

template <class T, class F>
void add_timeout(deferred_state& s, duration delay, clock& c, F on_timeout_cancel,
                 const source_location& where) {
  auto timer = std::make_unique<deferred_timer>(s, delay, c, where);
  add_link(s, timeout_link<T, F>{std::move(timer), std::move(on_timeout_cancel)});
}

} // namespace troupe::detail
