#pragma once

#include <functional>
#include <type_traits>
#include <utility>

#include <troupe/runtime/deferred_debugging.hpp>
#include <troupe/runtime/detail/deferred_links.hpp>
#include <troupe/runtime/source_location.hpp>

namespace troupe {

namespace detail {

template <class F, class P>
concept canceller_of = std::invocable<F&, P&> || std::invocable<F&>;

} // namespace detail

/// The producing end of a deferred: whoever promises a result keeps it, and fires it once.
///
/// ```cpp
/// deferred<std::string> read_name() {
///   promise<std::string> name;
///   auto result = name.get_deferred();
///   pending_ = std::move(name); // later: pending_.callback("alice");
///   return result;
/// }
/// ```
///
/// Firing runs the callbacks at once, inside `callback` or `errback`. A promise that is dropped
/// before it fired makes the deferred fail with `errc::broken_promise`, so that nobody waits for
/// ever; if nobody has the deferred and nothing was added to it, nothing happens.
///
/// Thread: one at a time, together with its deferred.
/// Source: the callback and errback of twisted.internet.defer.Deferred
template <class T>
class [[nodiscard]] promise {
  static_assert(!detail::deferred_type<T> && !std::is_same_v<T, failure>,
                "a deferred's result cannot be a deferred or a failure");
  static_assert(std::is_void_v<T> || (std::is_object_v<T> && !std::is_const_v<T>),
                "a deferred's result is an object type or void");

public:
  using value_type = T;

  /// Makes a promise whose deferred, when it is cancelled, fails with `errc::cancelled` at once.
  /// The next `callback` or `errback` is then ignored, because the producer does not know.
  explicit promise(source_location where = source_location::current())
    : promise(detail::deferred_state::usual_links, where) {}

  /// Makes a promise whose deferred, when it is cancelled, calls `canceller` first, once.
  ///
  /// The canceller stops the work. It may fire the promise, which it is given, or drop it; if it
  /// does not fire it, the deferred fails with `errc::cancelled`, or with the exception that left
  /// the canceller. Firing the promise afterwards is an error, for the producer knows. The
  /// canceller is destroyed when the promise fires.
  ///
  /// \param canceller  called with `promise<T>&`, or with nothing
  template <detail::canceller_of<promise<T>> F>
  explicit promise(F canceller, source_location where = source_location::current())
    : promise(where) {
    using target = std::decay_t<F>;
    state_->template set_canceller<target>(&run_canceller<target>, std::move(canceller));
  }

  promise(promise&& other) noexcept
    : state_(std::exchange(other.state_, nullptr)), taken_(other.taken_) {}
  promise& operator=(promise&& other) noexcept {
    promise(std::move(other)).swap(*this);
    return *this;
  }
  ~promise() {
    if (state_ != nullptr)
      drop();
  }

  /// Returns the consuming end. \throws std::logic_error the second time
  [[nodiscard]] deferred<T> get_deferred() {
    if (std::exchange(taken_, true))
      throw std::logic_error("get_deferred() was called before");
    state().retain();
    return deferred<T>(state_);
  }

  /// Fires with a value; the callbacks have run when it returns.
  ///
  /// \throws already_fired if there is a result; the first one is kept
  template <class U = T>
  requires(!std::is_void_v<T> && std::is_constructible_v<T, U>) void callback(
    U&& value, source_location where = source_location::current()) {
    if (state().may_fire()) {
      state_->template set_value<T>(std::forward<U>(value));
      state_->fire(where);
    }
  }

  /// Fires with nothing but the fact.
  void callback(source_location where = source_location::current()) requires std::is_void_v<T> {
    if (state().may_fire()) {
      state_->template set_value<void>();
      state_->fire(where);
    }
  }

  /// Fires with a failure: a `failure`, or whatever makes one, such as an `errc` or an exception.
  ///
  /// \throws already_fired if there is a result; the first one is kept
  void errback(failure why, source_location where = source_location::current()) {
    if (state().may_fire()) {
      state_->set_failure(std::move(why));
      state_->fire(where);
    }
  }

  /// Fires with the exception that is being handled.
  ///
  /// \throws no_current_exception outside of a catch block
  void errback() { errback(failure::current()); }

  /// Fires with whichever `result` holds.
  void fire(outcome<T> result, source_location where = source_location::current()) {
    if (!result)
      errback(result.error(), where);
    else if constexpr (std::is_void_v<T>)
      callback(where);
    else
      callback(*std::move(result), where);
  }

  /// Ends the deferred without a result: what waits for it is destroyed and never runs, and so are
  /// coroutines that wait for it. For an owner that ends and takes its pending work along, as an
  /// actor does. Nothing happens if there is a result.
  void abandon() noexcept {
    if (state_ != nullptr)
      state_->abandon();
  }

  /// Tells whether the deferred has a result, also by having been cancelled.
  [[nodiscard]] bool called() const noexcept { return state_ == nullptr || state_->called(); }

  /// Tells whether anybody could notice a result: whether somebody has the deferred, or something was
  /// added to it. Where nobody could, a value that cannot be made twice is better kept.
  [[nodiscard]] bool awaited() const noexcept { return state_ != nullptr && state_->awaited(); }

  /// Tells whether this is a promise, and not the empty shell of a moved-from one.
  explicit operator bool() const noexcept { return state_ != nullptr; }

private:
  template <class>
  friend class deferred;

  promise(std::size_t links, const source_location& where)
    : state_(detail::deferred_state::make(links, where)) {}

  explicit promise(detail::deferred_state* borrowed) noexcept : state_(borrowed), taken_(true) {}

  detail::deferred_state& state() const {
    if (state_ == nullptr)
      throw std::logic_error("this promise was moved away");
    return *state_;
  }

  void swap(promise& other) noexcept {
    std::swap(state_, other.state_);
    std::swap(taken_, other.taken_);
  }

  void drop() noexcept {
    state_->break_promise();
    state_->release();
  }

  template <class F>
  static detail::deferred_state* run_canceller(detail::deferred_slot& slot,
                                               detail::deferred_state* s) {
    if (s == nullptr) {
      slot.drop<F>();
      return nullptr;
    }
    if constexpr (std::invocable<F&, promise<T>&>) {
      struct loan {
        explicit loan(detail::deferred_state* s) : p(s) { s->retain(); }
        ~loan() { // dropping it breaks no promise, for it is not the producer's
          if (auto* lent = std::exchange(p.state_, nullptr))
            lent->release();
        }
        promise<T> p;
      } lent{s};
      std::invoke(slot.get<F>(), lent.p);
    } else {
      std::invoke(slot.get<F>());
    }
    return nullptr;
  }

  detail::deferred_state* state_;
  bool taken_ = false;
};

} // namespace troupe
