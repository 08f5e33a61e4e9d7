#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/net/transport.hpp>

namespace troupe::testing {

/// What a `string_transport` was last told about reading.
enum class producer_state : std::uint8_t { producing, paused, stopped };

/// A transport without a network: it remembers what is written to it.
///
/// It closes nothing by itself: what would end a connection is recorded, and a test then ends it
/// (`protocol_fixture::lose`). As with a real one, nothing is sent once its end was asked for; a
/// registered producer may go on until it unregisters.
///
/// Thread: one. Source: twisted.internet.testing.StringTransport
class string_transport : public transport {
public:
  string_transport();
  ~string_transport() override;

  // -- for tests --------------------------------------------------------------------------------

  /// Returns what was written since `clear()`.
  [[nodiscard]] const std::string& value() const noexcept { return sent_; }

  /// Forgets what was written.
  void clear() noexcept { sent_.clear(); }

  /// Returns in how many pieces it was written.
  [[nodiscard]] std::size_t writes() const noexcept { return writes_; }

  [[nodiscard]] testing::producer_state producer_state() const noexcept { return state_; }
  [[nodiscard]] bool aborting() const noexcept { return aborting_; }

  /// Tells whether `lose_write_connection` was called.
  [[nodiscard]] bool write_closed() const noexcept { return write_closed_; }

  /// Returns the registered producer or null, and whether it pushes.
  [[nodiscard]] producer* registered_producer() const noexcept { return producer_; }
  [[nodiscard]] bool streaming() const noexcept { return streaming_; }

  [[nodiscard]] const output_limits& limits() const noexcept { return limits_; }

  /// Replaces the addresses, 192.168.1.1:54321 and 10.0.0.1:12345 at first.
  void set_peer(net_address peer) { peer_ = std::move(peer); }
  void set_host(net_address host) { host_ = std::move(host); }

  /// Closes it, as the network would.
  void close() noexcept;

  // -- transport --------------------------------------------------------------------------------

  using transport::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override { write(data.view()); }
  using transport::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override; ///< counts as one write
  void lose_connection() override;
  void abort_connection() override;
  void lose_write_connection() override { write_closed_ = true; }
  void register_producer(producer& p, bool streaming) override;
  void unregister_producer() override { producer_ = nullptr; }

  /// Pausing and resuming only change `producer_state`, and not even that once it is stopped.
  void pause_producing() override;
  void resume_producing() override;
  void hold_input(bool stopped) override { held_ = stopped; }

  /// Tells whether its protocol is stopped, for it feeds an actor without room.
  [[nodiscard]] bool input_held() const noexcept { return held_; }

  void set_output_limits(const output_limits& limits) override { limits_ = limits; }
  [[nodiscard]] std::size_t unsent() const noexcept override { return 0; }
  [[nodiscard]] std::uint64_t refused_writes() const noexcept override { return refused_; }
  void protocol_ended() override { close(); }
  [[nodiscard]] net_address get_peer() const override { return peer_; }
  [[nodiscard]] net_address get_host() const override { return host_; }
  [[nodiscard]] bool connected() const noexcept override { return connected_; }
  [[nodiscard]] bool disconnecting() const noexcept override { return disconnecting_; }
  void set_tcp_no_delay(bool on) override { no_delay_ = on; }
  [[nodiscard]] bool get_tcp_no_delay() const override { return no_delay_; }
  void set_tcp_keep_alive(bool on) override { keep_alive_ = on; }
  [[nodiscard]] bool get_tcp_keep_alive() const override { return keep_alive_; }

private:
  std::string sent_;
  std::size_t writes_ = 0;
  std::uint64_t refused_ = 0;
  net_address peer_;
  net_address host_;
  output_limits limits_;
  producer* producer_ = nullptr;
  testing::producer_state state_ = testing::producer_state::producing;
  bool streaming_ = false;
  bool connected_ = true;
  bool disconnecting_ = false;
  bool aborting_ = false;
  bool write_closed_ = false;
  bool no_delay_ = false;
  bool keep_alive_ = false;
  bool held_ = false;
};

} // namespace troupe::testing
