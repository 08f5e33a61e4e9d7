#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <troupe/basic/proxy_factory.hpp>
#include <troupe/basic/socks_message.hpp>
#include <troupe/net/resolver.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

namespace detail {
class socks_association;
class socks_binding;
} // namespace detail

/// Whom a server of SOCKS serves, and how long it waits.
struct socks_server_options {
  /// Tells whether a client may be connected to `target`, an address in numbers: for a name, each address
  /// that it has is asked for, after it was looked up, so that no name leads to where nobody may go.
  /// It may return a deferred. Absent: clients on this machine may go anywhere, others nowhere. With a
  /// rule, mind `is_local_address`: what listens on this machine for this machine only.
  std::function<deferred<bool>(const socks_request& request, const net_address& client,
                               const net_address& target)>
    rule{};

  /// Tells whether that is the user's password. If there is one, each client must give both, so it must
  /// speak version 5.
  std::function<bool(std::string_view user, std::string_view password)> authenticate{};

  /// How long a client may take to say what it wants.
  duration handshake_timeout = std::chrono::seconds(30);

  /// How long connecting to each address may take.
  duration connect_timeout = std::chrono::seconds(30);

  /// Whether BIND is served: a port is opened for one connection, from the address that the request names,
  /// which the rule has allowed.
  bool bind = true;

  /// Where that port is, as a number; empty: at the address at which the client has connected.
  std::string bind_interface{};

  /// How long that connection may take to come.
  duration bind_timeout = std::chrono::seconds(120);

  /// Whether UDP ASSOCIATE is served: datagrams from the client's address alone, to what the rule allows, and
  /// back from there. The rule is asked once for each address while it is remembered.
  bool udp = true;

  /// Looks names up; absent: that of the system. It must be usable on each loop that serves.
  std::shared_ptr<resolver> names{};

  /// Whether what fails is logged.
  bool noisy = true;
};

/// Tells whether an address is of this machine or of its link only: loopback, link-local, unspecified; also
/// where IPv6 wraps IPv4.
[[nodiscard]] bool is_local_address(const net_address& a);

/// A server of SOCKS 4, 4a and 5, which tells them apart by their first byte: connects its client to where
/// it asks for, and passes on what they say (`proxy`).
///
/// It knows CONNECT, BIND and, in version 5, UDP ASSOCIATE, which ends with the connection that asked for it. A client of BIND
/// that sends `max_pending` bytes before anybody has come is refused.
/// What is no SOCKS is closed without an answer.
///
/// Thread: its loop's. Source: twisted.protocols.socks.SOCKSv4; RFC 1928, RFC 1929
class socks_server : public proxy {
public:
  socks_server(caf::actor_config& cfg, runtime& rt,
               std::shared_ptr<const socks_server_options> options);
  ~socks_server() override;

  /// Connects to an address in numbers, with a `proxy_client`; over TCP unless overridden.
  virtual deferred<connected_protocol> connect_to(const net_address& target);

  void connection_made() override;
  void data_received(bytes_view data) override;
  void read_connection_lost() override;
  void connection_lost(const failure& reason) override;

private:
  enum class stage : std::uint8_t { handshake, connecting, passing, associated, over };

  void handshake(std::string_view in);
  void choose_method();
  void serve();
  void try_next();
  void try_address(const net_address& target);
  void connected_out(const connected_protocol& p, const net_address& target);
  void bind_for(const net_address& expected);
  void associate();
  void end_waiting();
  [[nodiscard]] bool serves(socks_command c) const noexcept;
  [[nodiscard]] bool is_full() const noexcept;
  void pass(proxy& other, const net_address& shown);
  void refuse(socks_reply r);
  void stop_timer() noexcept;
  template <class T, class F>
  void wait_for(deferred<T> d, F then);

  runtime& rt_;
  const std::shared_ptr<const socks_server_options> options_;
  std::unique_ptr<socks_server_parser> parser_; // until the request has been answered
  std::vector<net_address> targets_;            // to be tried
  std::optional<delayed_call> timer_;
  canceller waiting_;
  std::shared_ptr<detail::socks_binding> binding_;         // of BIND, while nobody has come
  std::shared_ptr<detail::socks_association> association_; // of UDP ASSOCIATE
  std::uint8_t version_ = 5;
  socks_reply latest_ = socks_reply::host_unreachable; // what the latest attempt came to
  stage stage_ = stage::handshake;
};

/// The factory of such servers.
///
/// ```cpp
/// troupe::listen_tcp(rt, 1080, troupe::factory::of<troupe::socks_server_factory>(std::ref(rt)));
/// ```
///
/// Thread: its loop's. Source: twisted.protocols.socks.SOCKSv4Factory
class socks_server_factory : public factory {
public:
  explicit socks_server_factory(caf::actor_config& cfg, runtime& rt,
                                socks_server_options options = {});
  protocol_ptr build_protocol(const net_address& peer) override;

private:
  runtime& rt_;
  const std::shared_ptr<const socks_server_options> options_;
};

} // namespace troupe
