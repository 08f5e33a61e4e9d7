#pragma once

#include <memory>
#include <optional>

#include <troupe/basic/socks_message.hpp>
#include <troupe/net/endpoint.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::detail {

/// One attempt to connect through a server of SOCKS, and who waits for it.
struct socks_attempt {
  socks_client_parser parser;
  net_address target;
  duration timeout;
  factory_ref inner;
  std::optional<promise<connected_protocol>> waiting{};
  canceller reaching{};      // the attempt to reach the server
  protocol* relay = nullptr; // once that is reached
  bool started = false;      // the inner factory, by this one

  void succeed(const connected_protocol& p);
  void fail(const failure& why);
  void stop_inner();
};

/// Speaks to the server, and then lends its connection to the protocol that the inner factory builds.
///
/// Thread: its loop's.
class socks_relay final : public protocol, public half_closeable {
public:
  socks_relay(caf::actor_config& cfg, std::shared_ptr<socks_attempt> of);

  void connection_made() override;
  void data_received(bytes_view data) override;
  void read_connection_lost() override;
  void write_connection_lost() override;
  void connection_lost(const failure& reason) override;

private:
  class lent;

  void handshake(std::string_view in);
  void give_up(const failure& why);
  void lend();
  void inner_ended();
  template <class F>
  void as_inner(const char* callback, F&& fn);

  const std::shared_ptr<socks_attempt> attempt_;
  protocol_ptr inner_;
  lent* lent_ = nullptr;    // as long as inner_
  failure why_;             // what the handshake came to
  bool inner_gone_ = false; // it has ended by itself
  bool over_ = false;       // the connection has ended
};

} // namespace troupe::detail
