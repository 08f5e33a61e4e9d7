#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <troupe/net/transport.hpp>

namespace troupe {
class websocket_protocol;
}

namespace troupe::detail {

/// Where a WebSocket's bytes go if its connection is not its own, but was taken over.
class websocket_host {
public:
  virtual ~websocket_host() = default;

  /// The WebSocket has ended, and its connection with it.
  virtual void websocket_ended() = 0;
};

/// What a `websocket_protocol` has for its transport: what is written to it is a message.
///
/// Thread, lifetime: those of its protocol.
class message_transport final : public transport {
public:
  explicit message_transport(websocket_protocol& owner) noexcept;
  ~message_transport() override;

  /// Has bytes go through `below` from now on.
  void attach(transport& below) noexcept { below_ = &below; }
  void set_host(websocket_host& host) noexcept { host_ = &host; }
  [[nodiscard]] transport& below() const noexcept { return *below_; }
  [[nodiscard]] bool attached() const noexcept { return below_ != nullptr; }
  [[nodiscard]] bool paused() const noexcept { return paused_ || held_; }
  void count_refused() noexcept { ++refused_; }
  void stop_producer(); ///< the WebSocket closes, and takes no more

  using transport::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override; // inline, for topics
  using transport::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override; ///< one message
  void lose_connection() override;                                  ///< with the close handshake
  void abort_connection() override;
  void lose_write_connection() override {} // a WebSocket has no such state
  void register_producer(producer& p, bool streaming) override;
  void unregister_producer() override;
  void pause_producing() override;
  void resume_producing() override;
  void hold_input(bool stopped) override;
  void set_output_limits(const output_limits& limits) override;
  [[nodiscard]] std::size_t unsent() const noexcept override;
  [[nodiscard]] std::uint64_t refused_writes() const noexcept override;
  [[nodiscard]] std::uint64_t bytes_received() const noexcept override;
  [[nodiscard]] std::uint64_t bytes_written() const noexcept override;
  void protocol_ended() override;
  [[nodiscard]] net_address get_peer() const override;
  [[nodiscard]] net_address get_host() const override;
  [[nodiscard]] std::optional<peer_credentials> get_peer_credentials() const override;
  [[nodiscard]] bool connected() const noexcept override;
  [[nodiscard]] bool disconnecting() const noexcept override;
  [[nodiscard]] transport& underlying() noexcept override { return below_->underlying(); }
  [[nodiscard]] const tls_info* tls() const noexcept override { return below_->tls(); }
  void set_tcp_no_delay(bool on) override;
  [[nodiscard]] bool get_tcp_no_delay() const override;
  void set_tcp_keep_alive(bool on) override;
  [[nodiscard]] bool get_tcp_keep_alive() const override;

private:
  class entering;

  websocket_protocol& owner_;
  transport* below_ = nullptr;
  websocket_host* host_ = nullptr;     // null if the connection is the protocol's own
  std::unique_ptr<entering> producer_; // that of a connection which is not
  std::uint32_t refused_ = 0;          // messages after the close frame
  bool paused_ = false;
  bool held_ = false;
};

} // namespace troupe::detail
