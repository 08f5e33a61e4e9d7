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
/// made, nor for a plain answer, which is a message in one piece.
///
/// Thread: that of the actor.
class answering final : public caf::detail::default_invoke_result_visitor<caf::scheduled_actor> {
public:
  using super = caf::detail::default_invoke_result_visitor<caf::scheduled_actor>;

  answering(caf::scheduled_actor& self, caf::mailbox_element& what)
    : super(&self), self_(self), what_(what) {}

  using super::operator();
  void operator()(caf::message& x) override {
    if (!what_.mid.is_async() || x.vals() != nullptr)
      super::operator()(x);
  }

  /// Tells whether nobody is told that a handler has returned nothing.
  [[nodiscard]] bool nobody_asked() const noexcept { return what_.mid.is_async(); }

  /// Answers with `value`, as `(*this)(value)` would.
  template <plain_answer T>
  void give(T& value) {
    if (what_.mid.is_answered() || what_.mid.is_response() || !what_.stages.empty())
      return static_cast<caf::detail::invoke_result_visitor&>(*this)(value);
    if (!what_.sender)
      return;
    const auto to = std::move(what_.sender);
    to->enqueue(make_local_message(this_turn.take(caf::actor_control_block::from(&self_)),
                                   what_.mid.response_id(), std::move(value)),
                self_.context());
  }

private:
  caf::scheduled_actor& self_;
  caf::mailbox_element& what_;
};

} // namespace troupe::detail
