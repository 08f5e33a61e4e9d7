#pragma once

#include <concepts>
#include <optional>

#include <troupe/net/detail/idle_timer.hpp>
#include <troupe/net/protocol.hpp>

namespace troupe {

/// Gives a protocol `P` a time-out: it is called when the protocol has not said for some time that
/// something happened.
///
/// There is none until `set_timeout`. Unlike with `timeout_factory`, it is the protocol that decides
/// what counts.
///
/// ```cpp
/// class patient : public troupe::timeout_mixin<troupe::line_receiver> {
/// public:
///   using timeout_mixin::timeout_mixin;
///   void connection_made() override { set_timeout(30s); }
///   void line_received(std::string_view) override { reset_timeout(); }
/// };
/// ```
///
/// Thread: its loop's. Source: twisted.protocols.policies.TimeoutMixin
template <std::derived_from<protocol> P = protocol>
class timeout_mixin : public P, private detail::idle_timer {
public:
  using P::P;

  /// Calls `timeout_connection` when `after` has passed, from now or from the last `reset_timeout`;
  /// nothing turns it off.
  ///
  /// \returns what was set before
  /// \throws std::logic_error if it is negative
  std::optional<duration> set_timeout(std::optional<duration> after) {
    return detail::idle_timer::set_timeout(after);
  }

  /// Begins the time anew; without effect where there is none, or it has passed.
  void reset_timeout() noexcept { detail::idle_timer::reset_timeout(); }

  /// Returns what is set.
  [[nodiscard]] std::optional<duration> timeout() const noexcept {
    return detail::idle_timer::timeout();
  }

  /// The time has passed. Unless overridden it closes the connection, for `errc::idle_timed_out`;
  /// and aborts it if, when as much time has passed again, it is still open because the peer takes
  /// nothing of what it was sent.
  virtual void timeout_connection() {
    if (this->connected())
      close(this->transport(), [this] { this->lose_connection(failure{errc::idle_timed_out}); });
  }

private:
  pinned_actor& timed_actor() noexcept final { return *this; }
  void timed_out() final { timeout_connection(); }
};

} // namespace troupe
