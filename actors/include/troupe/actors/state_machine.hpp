#pragma once

#include <concepts>
#include <utility>

#include <caf/behavior.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/skip.hpp>
#include <caf/system_messages.hpp>
#include <caf/type_nr.hpp>

#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/is_internal.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/skipped.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// An actor that is in one of several states, each with a behavior and time-outs of its own, and that keeps
/// messages for a later state.
///
/// A state is a member function: it does what is to be done when the state is entered, and returns the state's
/// behavior. `start_in` enters the first, `next_state` another one.
///
/// ```cpp
/// class door : public troupe::state_machine<> {
///   caf::behavior make_behavior() override { return start_in(&door::shut); }
///   caf::behavior shut() {
///     return {[this](open_atom) { next_state(&door::open); }};
///   }
///   caf::behavior open() {
///     state_timeout(10s, [this] { next_state(&door::shut); });
///     return {[this](lock_atom) { return postpone(); }, // taken when it is shut
///             ...};
///   }
/// };
/// ```
///
/// What is postponed stays in the mailbox, and is tried again, in order and before newer messages, behind each
/// message that is handled and when the state changes. It counts for the mailbox's bound: one that postpones
/// should have one (`bound_mailbox`). What no handler of the state takes is told of in the log as with any actor;
/// `set_default_handler(caf::skip)` postpones all that.
///
/// The rest is the base's: a member of CAF's `become` may be used, but is not a state.
///
/// \tparam Base  `floating_actor`, `pinned_actor`, or a protocol
/// Thread: the actor's own.
/// Source: OTP's gen_statem: its state functions with state_enter, state_timeout, event timeout and postpone.
/// It tries postponed events again at a change of state only.
template <class Base = floating_actor>
class state_machine : public Base {
public:
  using super = state_machine;
  using Base::Base;

  using Base::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override {
    if (!quiet_.active())
      return Base::consume(x);
    const auto before = quiet_;
    const bool event = x.content().type_token() != caf::make_type_token<caf::timeout_msg>()
                       && !detail::is_internal(x.content());
    const auto result = Base::consume(x);
    if (event && result == caf::invoke_message_result::consumed && quiet_ == before)
      cancel_event_timeout();
    return result;
  }

protected:
  /// Enters the first state: `make_behavior` returns what this does.
  template <class Self>
  requires std::derived_from<Self, state_machine>
  [[nodiscard]] caf::behavior start_in(caf::behavior (Self::*state)()) {
    auto first = enter_state(static_cast<state_function>(state));
    return changed_meanwhile_ ? caf::behavior{} : std::move(first);
  }

  /// Leaves the state: its time-outs are taken back, that of the state behind is entered, and what was postponed
  /// is tried again. The state that one is in may be entered anew.
  ///
  /// Order: the new state's function runs at once; the handler that calls this goes on behind.
  template <class Self>
  requires std::derived_from<Self, state_machine>
  void next_state(caf::behavior (Self::*state)()) {
    auto next = enter_state(static_cast<state_function>(state));
    if (!changed_meanwhile_)
      this->become(std::move(next));
    changed_meanwhile_ = true; // in the eyes of a state function that called this
    retry_skipped(*this);
  }

  /// Tells whether this is the state that was entered last.
  template <class Self>
  requires std::derived_from<Self, state_machine>
  [[nodiscard]] bool in_state(caf::behavior (Self::*state)()) const {
    return state_ == static_cast<state_function>(state);
  }

  /// Calls `fn` after `delay`, unless the state is left before. A state has one: another call replaces it.
  ///
  /// \throws std::logic_error if `delay` is negative or `fn` is empty
  void state_timeout(duration delay, task fn) {
    cancel_state_timeout();
    state_call_ = this->call_later(delay, std::move(fn));
  }

  void cancel_state_timeout() {
    if (state_call_.active())
      state_call_.cancel();
  }

  /// Calls `fn` if for `delay` no message is handled, and the state is not left. There is one: another call
  /// replaces it. A message that is postponed does not count, nor does what comes of `ask`'s answers that are
  /// awaited in a coroutine; a `protocol` says itself that bytes came, by another call.
  ///
  /// \throws std::logic_error if `delay` is negative or `fn` is empty
  void event_timeout(duration delay, task fn) {
    cancel_event_timeout();
    quiet_ = this->call_later(delay, std::move(fn));
  }

  void cancel_event_timeout() {
    if (quiet_.active())
      quiet_.cancel();
  }

  /// Is what a handler returns that does not want its message in this state. One that answers returns a
  /// `caf::result<T>`, which is made of it.
  [[nodiscard]] static constexpr caf::skip_t postpone() noexcept { return {}; }

private:
  using state_function = caf::behavior (state_machine::*)();

  caf::behavior enter_state(state_function state) {
    cancel_state_timeout();
    cancel_event_timeout();
    state_ = state;
    changed_meanwhile_ = false;
    return (this->*state)();
  }

  state_function state_ = nullptr;
  delayed_call state_call_;
  delayed_call quiet_;             // of event_timeout
  bool changed_meanwhile_ = false; // by the function of the state that is being entered
};

} // namespace troupe
