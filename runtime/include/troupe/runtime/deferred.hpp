#pragma once

#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/deferred_debugging.hpp>
#include <troupe/runtime/detail/deferred_links.hpp>
#include <troupe/runtime/detail/deferred_timeout.hpp>
#include <troupe/runtime/promise.hpp>
#include <troupe/runtime/source_location.hpp>

namespace troupe {

template <class T>
class chained;

/// A result that will be there later: a value or a failure, and the callbacks that wait for it.
///
/// It is the consuming end; `promise<T>` is the producing one. Callbacks run in the order in which
/// they were added, each with what the one before it returned, synchronously: inside the
/// `callback` of the promise, or inside `add_callback` if there is a result already. One that is
/// added by a running callback waits for its turn.
///
/// A callback returns the next value, or nothing; a `failure` or an `outcome` to fail without an
/// exception; or a `deferred`, for which the chain then waits. An exception that leaves it is a
/// failure. Failures skip callbacks until the next errback, values skip errbacks.
///
/// ```cpp
/// ask_name()
///   .add_callback([](std::string name) { return look_up(name); }) // a deferred<user>
///   .add_callback([](user u) { greet(u); })
///   .add_errback([](failure f) { log(f.message()); });
/// ```
///
/// On a named deferred the `add_` functions demand that the type stays the same, and return it; on
/// an expiring one (`std::move(d).add_callback(f)`, or the result of a function) they return a
/// deferred of the new type. That one may be dropped: the callbacks run all the same. Only a
/// deferred to which nothing was ever added must not be ignored.
///
/// A failure that reaches the end of a chain which nobody holds any more is reported once
/// (`set_unhandled_hook`).
///
/// Lifetime: the state lives as long as the deferred, its promise, or a deferred that it was
/// returned to. Thread: one at a time.
/// Source: twisted.internet.defer.Deferred
template <class T>
class [[nodiscard]] deferred {
public:
  using value_type = T;

  deferred(deferred&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  deferred& operator=(deferred&& other) noexcept {
    deferred(std::move(other)).swap(*this);
    return *this;
  }
  ~deferred() {
    if (state_ != nullptr) {
      if (state_->paused())
        state_->end_pauses();
      state_->release();
    }
  }

  // -- adding callbacks ---------------------------------------------------------------------------

  /// Adds `f`, for a value: `f(T)`, or `f()` if it needs no more than the fact.
  ///
  /// What `f` captures is destroyed as soon as it has run, or was skipped.
  template <detail::callback_for<T> F>
  auto add_callback(F f) && {
    return pass<callback_next<F>>(callback_link<F>{std::move(f)});
  }

  /// Adds `g`, for a failure: `g(failure)` or `g()`.
  ///
  /// Where it returns nothing, what follows is `void`: a value is dropped there.
  template <detail::callback_for<failure> G>
  auto add_errback(G g) && {
    return pass<errback_next<G>>(errback_link<G>{std::move(g)});
  }

  /// Adds both for the same place in the chain: `g` does not see what `f` throws.
  template <detail::callback_for<T> F, detail::callback_for<failure> G>
  auto add_callbacks(F f, G g) && {
    return pass<pair_next<F, G>>(pair_link<F, G>{std::move(f), std::move(g)});
  }

  /// Adds `f` for either: `f(outcome<T>)`, or one that can be called with a `T` and with a
  /// `failure`, or `f()`.
  template <detail::both_callback<T> F>
  auto add_both(F f) && {
    return pass<both_next<F>>(both_link<F>{std::move(f)});
  }

  /// As above; the type of what follows must still be `T`. \returns this deferred
  template <detail::callback_for<T> F>
  deferred& add_callback(F f) & {
    return stay<callback_next<F>>(callback_link<F>{std::move(f)});
  }
  template <detail::callback_for<failure> G>
  deferred& add_errback(G g) & {
    return stay<errback_next<G>>(errback_link<G>{std::move(g)});
  }
  template <detail::callback_for<T> F, detail::callback_for<failure> G>
  deferred& add_callbacks(F f, G g) & {
    return stay<pair_next<F, G>>(pair_link<F, G>{std::move(f), std::move(g)});
  }
  template <detail::both_callback<T> F>
  deferred& add_both(F f) & {
    return stay<both_next<F>>(both_link<F>{std::move(f)});
  }

  /// Cancels the deferred when `delay` has passed without a result.
  ///
  /// If that makes it fail with `errc::cancelled`, what follows sees `errc::timed_out` instead, or
  /// what `on_timeout_cancel(outcome<T>, delay)` returns; callbacks that were added before see the
  /// former. The timer is taken back as soon as there is a result.
  ///
  /// \param delay  zero or more; `duration::max()` waits for ever
  /// \param clock  must outlive the deferred's result
  /// \param where  named by the failure
  /// \throws std::logic_error if `delay` is negative
  template <detail::timeout_callback<T> F = std::nullptr_t>
  deferred& add_timeout(duration delay, clock& clock, F on_timeout_cancel = nullptr,
                        source_location where = source_location::current()) & {
    detail::add_timeout<T>(state(), delay, clock, std::move(on_timeout_cancel), where);
    return *this;
  }
  template <detail::timeout_callback<T> F = std::nullptr_t>
  chained<T> add_timeout(duration delay, clock& clock, F on_timeout_cancel = nullptr,
                         source_location where = source_location::current()) && {
    detail::add_timeout<T>(state(), delay, clock, std::move(on_timeout_cancel), where);
    return pass<T>();
  }

  /// Fires `target` with the result of this chain, whichever it is.
  ///
  /// Cancelling the deferred of `target` does not reach this one. Any length of such chains runs
  /// without using up the stack.
  ///
  /// \throws std::logic_error if `target` is the promise of this deferred itself
  void chain_deferred(promise<T> target) && {
    if (&target.state() == &state())
      throw std::logic_error("a deferred was chained to itself");
    state().chain_to(std::exchange(target.state_, nullptr));
    std::exchange(state_, nullptr)->release();
  }

  // -- control ------------------------------------------------------------------------------------

  /// Holds the chain until as many calls of `unpause`. A pause ends at the latest when the deferred
  /// is dropped or given away: returned from a callback, put into a list, waited for.
  void pause() { state().pause(); }

  /// Undoes one `pause`. \throws std::logic_error if it is not paused
  void unpause() { state().unpause(); }

  /// Makes it fail with `errc::cancelled`, unless it has a result: through the canceller if it was
  /// made with one. A chain that waits for a deferred that a callback returned cancels that one.
  void cancel() { state().cancel(); }

  /// Returns what cancels this one, also when it was given away: `co_await std::move(d)`.
  [[nodiscard]] troupe::canceller canceller() const { return troupe::canceller(state()); }

  /// Tells whether there was a result; the chain may still be waiting for another deferred.
  [[nodiscard]] bool called() const { return state().called(); }
  [[nodiscard]] bool paused() const { return state().paused(); }

  /// Tells whether this is a deferred, and not the empty shell of a moved-from one.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  // -- taking the result out ----------------------------------------------------------------------

  /// Tells whether the chain has run to its end and has a result to `take`.
  [[nodiscard]] bool ready() const { return state().finished(); }

  /// Returns the result at the end of the chain, which must be `ready`.
  ///
  /// \throws std::logic_error if it is not
  outcome<T> take() && {
    if (!state().finished())
      throw std::logic_error("take() of a deferred without a result");
    auto self = std::move(*this);
    return detail::take_outcome<T>(*self.state_);
  }

  /// Returns such as `<deferred at 0x5581c0 current result: orange>` or
  /// `<deferred at 0x5581c0 waiting on deferred at 0x558250>`.
  friend std::string to_string(const deferred& d) {
    std::ostringstream out;
    out << d;
    return std::move(out).str();
  }

  friend std::ostream& operator<<(std::ostream& out, const deferred& d) {
    out << "<deferred at " << static_cast<const void*>(d.state_);
    if (d.state_ != nullptr)
      d.print_state(out);
    return out << '>';
  }

private:
  template <class>
  friend class deferred;
  template <class>
  friend class promise;
  template <class>
  friend class chained;
  friend struct detail::deferred_access;

  explicit deferred(detail::deferred_state* owned) noexcept : state_(owned) {}

  detail::deferred_state& state() const {
    if (state_ == nullptr)
      throw std::logic_error("this deferred was moved away");
    return *state_;
  }

  // The types of what follows, and the links that lead there.
  template <class F>
  using callback_next = detail::next_t<T, detail::callback_flow_t<F, T>>;
  template <class G>
  using errback_next = detail::next_t<T, T, detail::callback_flow_t<G, failure>>;
  template <class F, class G>
  using pair_next =
    detail::next_t<T, detail::callback_flow_t<F, T>, detail::callback_flow_t<G, failure>>;
  template <class F>
  using both_next = typename detail::both_next<F, T>::type;
  template <class F>
  using callback_link = detail::callback_link<T, callback_next<F>, F>;
  template <class G>
  using errback_link = detail::errback_link<T, errback_next<G>, G>;
  template <class F, class G>
  using pair_link = detail::pair_link<T, pair_next<F, G>, F, G>;
  template <class F>
  using both_link = detail::both_link<T, both_next<F>, F>;

  template <class Next>
  chained<Next> pass() {
    return chained<Next>(deferred<Next>(std::exchange(state_, nullptr)));
  }

  template <class Next, class Link>
  chained<Next> pass(Link link) {
    detail::add_link(state(), std::move(link));
    return pass<Next>();
  }

  template <class Next, class Link>
  deferred& stay(Link link) {
    static_assert(std::is_same_v<T, Next>,
                  "this callback changes the type of what follows: use "
                  "std::move(d).add_callback(...) and go on with what it returns");
    detail::add_link(state(), std::move(link)); // may run and end this handle
    return *this;
  }

  // Gives the state away, for a chain that goes on with a J.
  template <class J>
  detail::deferred_state* release_as() && {
    if constexpr (std::is_same_v<T, J>) {
      state();
      return std::exchange(state_, nullptr);
    } else {
      return std::move(*this)
        .add_callback([](auto&&... value) {
          if constexpr (!std::is_void_v<J>)
            return J(std::forward<decltype(value)>(value)...);
        })
        .template release_as<J>();
    }
  }

  void print_state(std::ostream& out) const {
    if (state_->waiting_on() != nullptr)
      out << " waiting on deferred at " << static_cast<const void*>(state_->waiting_on());
    else if (state_->failed())
      out << " current result: failure: " << state_->why();
    else if (state_->has_value())
      print_value(out << " current result: ");
    if (state_->paused())
      out << " paused";
  }

  void print_value(std::ostream& out) const {
    if constexpr (std::is_void_v<T>)
      out << "nothing";
    else if constexpr (requires { out << std::declval<const T&>(); }) {
      if (state_->finished()) // only then the result has the type T
        out << state_->template value<T>();
      else
        out << "a value";
    } else
      out << "a value";
  }

  void swap(deferred& other) noexcept { std::swap(state_, other.state_); }

  detail::deferred_state* state_;
};

/// A deferred to which something was added, and which may therefore be dropped.
template <class T>
class chained : public deferred<T> {
public:
  explicit chained(deferred<T> d) noexcept : deferred<T>(std::move(d)) {}
};

/// Returns `d`, which is cancelled when `delay` has passed without a result, and then fails with
/// `errc::timed_out`: `deferred::add_timeout` as an expression.
///
/// ```cpp
/// auto user = co_await with_timeout(find(name), 1s, clock);
/// ```
///
/// \param delay  zero or more; `duration::max()` waits for ever
/// \param clock  must outlive the deferred's result
/// \param where  named by the failure
/// \throws std::logic_error if `delay` is negative
template <class T>
[[nodiscard]] deferred<T> with_timeout(deferred<T> d, duration delay, clock& clock,
                                       source_location where = source_location::current()) {
  return std::move(d).add_timeout(delay, clock, nullptr, where);
}

/// Returns a deferred that has the value already.
template <class T>
[[nodiscard]] deferred<std::decay_t<T>>
succeed(T&& value, source_location where = source_location::current()) {
  return detail::deferred_access::ready<std::decay_t<T>>(where, std::forward<T>(value));
}

/// Returns a deferred that has happened already.
[[nodiscard]] inline deferred<void> succeed(source_location where = source_location::current()) {
  return detail::deferred_access::ready<void>(where);
}

/// Returns a deferred that has failed already.
template <class T = void>
[[nodiscard]] deferred<T> fail(failure why, source_location where = source_location::current()) {
  return detail::deferred_access::failed<T>(where, std::move(why));
}

/// Calls `f` and makes a deferred of what it does: a value, a failure or an exception it throws,
/// or the deferred that it returns.
template <class F, class... Args>
requires std::invocable<F, Args...>
[[nodiscard]] auto maybe_deferred(F&& f, Args&&... args)
  -> deferred<detail::next_t<void, detail::flow_t<std::invoke_result_t<F, Args...>>>> {
  using type = detail::next_t<void, detail::flow_t<std::invoke_result_t<F, Args...>>>;
  using result = std::remove_cvref_t<std::invoke_result_t<F, Args...>>;
  try {
    if constexpr (detail::deferred_type<result>) {
      return std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
    } else {
      deferred<type> d = detail::deferred_access::unset<type>();
      auto call = [&] {
        return std::invoke(std::forward<F>(f), std::forward<Args>(args)...);
      };
      detail::settle<type>(detail::deferred_access::state(d), call);
      detail::deferred_access::state(d).mark_called(source_location::current());
      return d;
    }
  } catch (...) {
    return fail<type>(detail::caught());
  }
}

} // namespace troupe
