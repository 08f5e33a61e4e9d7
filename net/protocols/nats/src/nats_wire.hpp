#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>

#include <troupe/nats/nats_decoder.hpp>
#include <troupe/nats/nats_server_info.hpp>
#include <troupe/nats/nats_url.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/net/start_tls.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/detail/patience.hpp>

namespace troupe::detail {

class nats_core;

/// One connection to a server, from its INFO to its end. Its core, on the same loop, has what outlives it.
///
/// States: waiting for INFO -> (TLS) -> (reading credentials) -> waiting for the PONG behind CONNECT -> established.
class nats_wire final : public protocol, public handshake_listener, private nats_sink {
public:
  nats_wire(caf::actor_config& cfg, std::weak_ptr<nats_core> core);

  /// Returns what fires when the server has accepted us, or fails. Called once.
  [[nodiscard]] deferred<void> handshake() { return ready_.get_deferred(); }

  /// Sends what is complete lines. Without effect once it has ended.
  void write(std::string_view lines);
  void write(std::string_view head, std::string_view headers, std::string_view payload);

  /// Sends a PING, and fires `p` with its PONG, or fails it with what ends the connection.
  void ping(std::optional<promise<void>> p);

  /// Ends the connection once all is sent; for whoever wants another one.
  void leave(const failure& why);

  [[nodiscard]] std::size_t unsent() const { return connected() ? transport().unsent() : 0; }

  void connection_made() override;
  void data_received(bytes_view data) override;
  void handshake_completed() override;
  void connection_lost(const failure& why) override;
  const char* name() const override { return "nats connection"; }

private:
  enum class state : std::uint8_t { info, tls, credentials, pong, established, over };

  void info_received(std::string_view json) override;
  void message_received(std::uint64_t sid, const nats_message_view& message) override;
  void ping_received() override;
  void pong_received() override;
  void error_received(std::string_view text) override;

  void greet();
  void authenticate();
  void connect(const nats_credentials& who, const std::optional<nats_creds>& creds);
  void begin_tls(bytes_view received);
  void fail(const failure& why);
  void over(const failure& why);
  void watch();
  void look();

  const std::weak_ptr<nats_core> core_;
  nats_core* present_ = nullptr; // within data_received
  nats_decoder decoder_;
  promise<void> ready_;
  state state_ = state::info;
  nats_server_info info_;
  nats_url server_;
  bool tls_ = false;
  bool heard_ = false;           // since it was looked at last
  std::size_t silent_ = 0;       // how often it was looked at in vain
  std::size_t pings_ = 0;        // of our own that are not answered
  std::size_t unsent_pongs_ = 0; // since all was sent last
  time_point due_{};             // when it is looked at next
  patience patience_;
  std::deque<std::optional<promise<void>>>
    pongs_; // who waits for one; nobody, if we ask by ourselves
};

} // namespace troupe::detail
