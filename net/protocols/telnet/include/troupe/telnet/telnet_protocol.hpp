#pragma once

#include <troupe/net/protocol.hpp>
#include <troupe/telnet/session.hpp>
#include <troupe/telnet/subnegotiation.hpp>

namespace troupe {

/// Speaks telnet on a connection, as a server or a client: what to derive from for a protocol of one's own
/// that wants its options. `telnet_lines_factory` is for protocols of lines, which need not know.
///
/// ```cpp
/// class sized : public troupe::telnet_protocol {
/// public:
///   using telnet_protocol::telnet_protocol;
///   void connection_made() override { do_(troupe::telnet_option::window_size); }
///   void text_received(std::string_view text) override { send_text(text); }
///   void subnegotiation_received(troupe::telnet_option o, std::string_view data) override {
///     if (const auto size = o == troupe::telnet_option::window_size
///                             ? troupe::parse_window_size(data) : std::nullopt)
///       send_text(std::to_string(size->columns) + " columns\n");
///   }
/// };
/// ```
///
/// Nothing is taken in once the connection is told to close. An override of `connection_lost` calls this
/// one.
///
/// Thread: its loop's. Source: twisted.conch.telnet.TelnetTransport
class telnet_protocol : public protocol, public telnet_session {
public:
  using super = protocol;

  explicit telnet_protocol(caf::actor_config& cfg) : super(cfg) {}

  void data_received(bytes_view data) override { bytes_received(data); }
  void connection_lost(const failure& reason) override { end(reason); }

protected:
  void send_bytes(std::string_view bytes) override { transport().write(bytes); }
};

} // namespace troupe
