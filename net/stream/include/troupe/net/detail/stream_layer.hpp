#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <system_error>

#include <sys/uio.h>

#include <troupe/net/detail/stream_transport.hpp>

namespace troupe::detail {

/// What may stand inside a `stream_transport`, between the protocol's bytes and the system's, and
/// turns the one into the other: TLS. A transport without one pays a pointer.
///
/// It begins with a handshake, during which nothing of the protocol's is sent. The first half is what
/// the transport asks of it, the second what it may do with the transport.
///
/// Thread: that of the transport's loop. Lifetime: the transport's, which owns it.
class stream_layer {
public:
  virtual ~stream_layer() = default;
  stream_layer(const stream_layer&) = delete;
  stream_layer& operator=(const stream_layer&) = delete;

  /// Returns what the handshake has settled. Asked behind the handshake only.
  [[nodiscard]] virtual const tls_info* info() const noexcept = 0;

  /// Tells whether bytes that are turned already wait for the system.
  [[nodiscard]] virtual bool has_pending() const noexcept = 0;

  /// Sends these; false if the system does not take all, or the connection broke.
  virtual bool send_pending() = 0;

  /// Turns and sends as `stream_transport::send` does, where nothing is pending. What is turned and
  /// not sent counts as not sent.
  virtual std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept = 0;

  /// Tells the peer that no more will come; false if the system does not take that yet.
  virtual bool say_goodbye() = 0;

  /// The protocol has ended: sends of its output what can be sent at once.
  virtual void send_last_words() noexcept = 0;

  /// Takes what came, and delivers what it makes of it.
  virtual void received(bytes_view data) = 0;

  /// The network has ended. Returns whether the peer had ended its stream before.
  virtual bool read_ended() = 0;

  /// Reading is wanted again: what waits is looked at when the turn ends.
  virtual void wake() = 0;

  /// Returns whether there is output to see to.
  virtual bool turn_ended() = 0;

  /// The connection ends, perhaps in the middle of the handshake: with `reason`.
  virtual void end_handshake(const failure& reason) = 0;

protected:
  explicit stream_layer(stream_transport& transport) noexcept : transport_(transport) {}

  [[nodiscard]] stream_transport& transport() const noexcept { return transport_; }
  [[nodiscard]] event_loop& loop() const noexcept { return transport_.loop_; }
  [[nodiscard]] protocol* served() const noexcept { return transport_.protocol_; }
  [[nodiscard]] output_queue& output() const noexcept { return transport_.output_; }

  [[nodiscard]] bool is_open() const noexcept { return transport_.open_; }
  [[nodiscard]] bool disconnecting() const noexcept { return transport_.disconnecting_; }
  [[nodiscard]] bool blocked() const noexcept { return transport_.blocked_; }
  [[nodiscard]] bool read_shut() const noexcept { return transport_.read_shut_; }
  [[nodiscard]] bool wants_input() const noexcept { return transport_.wants_input(); }
  [[nodiscard]] bool handshaking() const noexcept { return transport_.handshaking_; }

  void end_of_handshake() const noexcept { transport_.handshaking_ = false; }

  /// Connects the protocol that waited for the handshake; false if it has ended.
  bool connect(protocol& p) const { return transport_.connect(p); }

  std::size_t send_raw(std::span<const iovec> pieces, std::error_code& ec) const noexcept {
    return transport_.send(pieces, ec);
  }
  void wait_writable() const {
    transport_.blocked_ = true;
    transport_.wait_writable();
  }
  void start_reading() const { transport_.start_reading(); }
  void deliver(bytes_view data) const { transport_.deliver(data); }
  void stream_ended() const { transport_.read_ended(); }

  /// Calls `turn_ended` when the turn ends, also while the system takes nothing.
  void at_end_of_turn() const {
    if (transport_.dirty_)
      return;
    transport_.dirty_ = true;
    transport_.loop_.at_end_of_turn(transport_);
  }

  void end(const failure& reason, bool reset) const { transport_.end(reason, reset); }
  void broken(const std::error_code& error) const { transport_.broken(error); }

private:
  stream_transport& transport_;
};

} // namespace troupe::detail
