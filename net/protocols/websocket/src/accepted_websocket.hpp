#pragma once

#include <memory>
#include <optional>
#include <string>

#include <caf/actor_control_block.hpp>

#include <troupe/http/http_response.hpp>
#include <troupe/net/builder.hpp>
#include <troupe/websocket/detail/message_transport.hpp>
#include <troupe/websocket/websocket_options.hpp>
#include <troupe/websocket/websocket_protocol.hpp>

namespace troupe::detail {

/// Makes the WebSocket that an HTTP connection is given to; where that has to go on to own it, stands between its
/// actor and that of the WebSocket which speaks on it, or on
/// a stream of it.
///
/// Thread: the connection's. Lifetime: that of the HTTP connection, or of the stream.
class accepted_websocket final : public http_upgraded, private websocket_host {
public:
  accepted_websocket(protocol& connection, builder<websocket_protocol> make,
                     std::shared_ptr<const websocket_options> options, std::string subprotocol,
                     std::optional<int> deflate_bits);
  ~accepted_websocket() override;

  protocol_ptr successor() override;
  void taken_over(transport& t) override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  void stop_requested(transport& t) override;

private:
  websocket_protocol& build();

  struct plan {
    builder<websocket_protocol> make;
    std::shared_ptr<const websocket_options> options;
    std::string subprotocol;
    std::optional<int> deflate_bits;
  };

  void websocket_ended() override;

  protocol& connection_;
  transport* stream_ = nullptr; // of the connection, if it has not all of that
  std::unique_ptr<plan> plan_;  // until it is built
  caf::strong_actor_ptr actor_;
  websocket_protocol* socket_ = nullptr; // null once it has ended
};

} // namespace troupe::detail
