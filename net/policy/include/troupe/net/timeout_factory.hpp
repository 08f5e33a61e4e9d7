#pragma once

#include <troupe/net/detail/idle_timer.hpp>
#include <troupe/net/wrapping_factory.hpp>

namespace troupe {

/// Closes its connection when for some time nothing came and nothing was written, for
/// `errc::idle_timed_out`; and aborts it if, when as much time has passed again, it is still open
/// because the peer takes nothing of what it was sent.
///
/// Only what the peer could have sent counts as its silence: while reading is held, by the protocol
/// or by a policy (`throttling_factory`), the time does not run, and it begins anew when reading goes
/// on. A peer that takes nothing of what it was sent is timed out all the same.
///
/// Source: twisted.protocols.policies.TimeoutProtocol
class timeout_protocol : public protocol_wrapper, private detail::idle_timer {
public:
  explicit timeout_protocol(duration time_out) : first_(time_out) {}

  /// Changes the time, from now on; nothing turns it off. Once connected.
  ///
  /// \returns what was set before
  std::optional<duration> set_timeout(std::optional<duration> after) {
    return detail::idle_timer::set_timeout(after);
  }

  /// Closes the connection, unless overridden.
  virtual void timeout_connection();

  void connection_made() override { set_timeout(timeout().value_or(first_)); }
  [[nodiscard]] bool may_move() const noexcept override;
  void data_received(bytes_view data) override;
  using protocol_wrapper::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override;
  using protocol_wrapper::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override;
  void register_producer(producer& p, bool streaming) override;
  void unregister_producer() override;
  void pause_producing() override;
  void resume_producing() override;
  void reading_held(bool held) override;

private:
  pinned_actor& timed_actor() noexcept final { return wrapped_protocol(); }
  void timed_out() final;
  void wrote() noexcept;

  const duration first_;
  bool producing_ = false;
  bool paused_ = false;           // by the protocol
  bool held_ = false;             // by a policy
  std::size_t unsent_ = SIZE_MAX; // when it was looked at last, while reading was held
};

/// Gives each connection of another factory a time-out.
///
/// Source: twisted.protocols.policies.TimeoutFactory
class timeout_factory : public wrapping_factory {
public:
  /// \param time_out  how long a connection may be idle
  timeout_factory(caf::actor_config& cfg, factory_ref inner,
                  duration time_out = std::chrono::minutes(30));

  std::unique_ptr<protocol_wrapper> make_wrapper() override;

private:
  const duration time_out_;
};

} // namespace troupe
