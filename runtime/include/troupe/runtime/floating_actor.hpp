#pragma once

#include <memory>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/timer_queue.hpp>

namespace troupe {

/// An actor that runs on whichever loop woke it, and that idle loops may steal.
///
/// ```cpp
/// class cache : public troupe::floating_actor {
/// public:
///   using troupe::floating_actor::floating_actor;
///   caf::behavior make_behavior() override {
///     return {[this](put_atom, std::string key, std::string value) {
///       entries_[key] = std::move(value);
///       call_later(1min, [this, key] { entries_.erase(key); });
///     }};
///   }
/// };
/// ```
///
/// Thread: the loop that runs it at the moment; never two at once.
class floating_actor : public basic_actor {
public:
  using super = basic_actor;

  explicit floating_actor(caf::actor_config& cfg) : super(cfg) {}

  /// Runs `fn` as this actor, `delay` after now and never before.
  ///
  /// It never runs beside this actor's other code nor after the actor has ended. The actor keeps
  /// the call, so the handle stays good when the actor moves to another loop.
  ///
  /// \throws std::logic_error if `delay` is negative or `fn` is empty
  /// Order: calls due at the same time run in the order in which they were made.
  delayed_call call_later(duration delay, task fn);

  /// Returns the calls that are pending, in no particular order.
  [[nodiscard]] std::vector<delayed_call> get_delayed_calls() const;

  /// Drops the delayed calls. An override calls it.
  void on_exit() override;

protected:
  caf::invoke_message_result consume_other(caf::mailbox_element& x) override;

private:
  void arm();

  std::unique_ptr<timer_queue> calls_; // made at first use
  time_point armed_ = time_point::max();
};

} // namespace troupe
