#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include <caf/actor_control_block.hpp>
#include <caf/detail/default_invoke_result_visitor.hpp>
#include <caf/scheduled_actor.hpp>

#include <troupe/runtime/detail/local_message.hpp>

namespace troupe::detail {

/// What a handler returns, if CAF has no meaning for it but a value of a message.
template <class T>
concept plain_answer = std::is_arithmetic_v<T> || std::is_same_v<T, std::string>;

/// Answers what a handler returns, as CAF does. Where nobody asked and there is nothing to answer, no promise is
/// made, nor for an answer to one that has none to be passed on to; a plain one is a message in one piece.
///
/// Thread: that of the actor.
class answering final : public caf::detail::default_invoke_result_visitor<caf::scheduled_actor> {
public:
  using super = caf::detail::default_invoke_result_visitor<caf::scheduled_actor>;

  answering(caf::scheduled_actor& self, caf::mailbox_element& what)
    : super(&self), self_(self), what_(what) {}

  using super::operator();
  void operator()(caf::message& x) override {
    if (x.vals() == nullptr) {
      if (!what_.mid.is_async())
        super::operator()(x);
    } else if (!is_simple()) {
      super::operator()(x);
    } else if (what_.sender) {
      const auto to = std::move(what_.sender);
      to->enqueue(caf::mailbox_element_ptr{new message_envelope(
                    reference_to_self(), what_.mid.response_id(), std::move(x))},
                  self_.context());
    }
  }

  /// Tells whether nobody is told that a handler has returned nothing.
  [[nodiscard]] bool nobody_asked() const noexcept { return what_.mid.is_async(); }

  /// Answers with `value`, as `(*this)(value)` would.
  template <plain_answer T>
  void give(T& value) {
    if (!is_simple())
      return static_cast<caf::detail::invoke_result_visitor&>(*this)(value);
    if (!what_.sender)
      return;
    const auto to = std::move(what_.sender);
    to->enqueue(make_local_message(reference_to_self(), what_.mid.response_id(), std::move(value)),
                self_.context());
  }

private:
  // Nothing but its sender gets the answer, and has not got it yet.
  [[nodiscard]] bool is_simple() const noexcept {
    return !what_.mid.is_answered() && !what_.mid.is_response() && what_.stages.empty();
  }
  caf::strong_actor_ptr reference_to_self() {
    return this_turn.take(caf::actor_control_block::from(&self_));
  }

  caf::scheduled_actor& self_;
  caf::mailbox_element& what_;
};

} // namespace troupe::detail
