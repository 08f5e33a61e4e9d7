#pragma once

#include <string>
#include <utility>
#include <vector>

#include <troupe/net/datagram_protocol.hpp>
#include <troupe/net/datagram_transport.hpp>
#include <troupe/net/multicast_transport.hpp>

namespace troupe::testing {

/// A transport of datagrams without a network: it remembers what is written to it, and which groups
/// are joined. `datagram_fixture` runs a protocol on one.
///
/// It refuses what a real one refuses for its arguments: long datagrams, port 0, a host that is no
/// address of IPv4, and any write after `stop_listening` or `close`. It stands for a UNIX port if its
/// own address is a path (`set_host`): then it takes paths only, and has neither broadcast nor groups.
///
/// Thread: one. Source: twisted.test.proto_helpers.FakeDatagramTransport
class fake_datagram_transport : public datagram_transport, public multicast_transport {
public:
  struct datagram {
    std::string data;
    net_address to;
    friend bool operator==(const datagram&, const datagram&) = default;
  };
  struct membership {
    std::string group;
    std::string interface;
    friend bool operator==(const membership&, const membership&) = default;
  };

  // -- for tests --------------------------------------------------------------------------------

  /// Returns what was written since `clear()`.
  [[nodiscard]] const std::vector<datagram>& written() const noexcept { return written_; }
  void clear() noexcept { written_.clear(); }

  /// Returns the groups that are joined at the moment.
  [[nodiscard]] const std::vector<membership>& groups() const noexcept { return groups_; }

  /// Lets every write fail with `why`, such as `errc::queue_overflow`; an empty code ends that.
  void fail_writes(std::error_code why) noexcept { failing_ = why; }

  /// Tells whether `stop_listening` was called.
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }

  /// Replaces its own address, 10.0.0.1:12345 at first. In a `datagram_fixture`, another kind of
  /// address takes effect when the port is opened: `stop`, this, and `start`.
  void set_host(net_address host) { host_ = std::move(host); }

  /// Returns what joins groups, as `datagram_protocol::make_connection` takes it.
  [[nodiscard]] multicast_transport* groups_of_port() noexcept {
    return is_unix() ? nullptr : this;
  }

  /// Closes it, as the end of the port would; `open` undoes that.
  void close() noexcept { open_ = false; }
  void open(datagram_protocol& p) noexcept;

  // -- datagram_transport -----------------------------------------------------------------------

  using datagram_transport::write;
  std::error_code write(bytes_view data, const net_address& to) override;
  std::error_code write(bytes_view data) override;
  std::error_code connect(const net_address& peer) override;
  std::error_code set_broadcast_allowed(bool allowed) override;
  [[nodiscard]] bool get_broadcast_allowed() const override { return broadcast_; }
  chained<void> stop_listening() override;
  [[nodiscard]] net_address get_host() const override { return host_; }
  [[nodiscard]] net_address get_peer() const override { return peer_; }
  [[nodiscard]] bool listening() const noexcept override { return open_ && !stopping_; }
  [[nodiscard]] std::size_t unsent() const noexcept override { return 0; }
  [[nodiscard]] const datagram_counters& counters() const noexcept override { return counters_; }
  void protocol_ended() noexcept override { close(); }

  // -- multicast_transport ----------------------------------------------------------------------

  chained<void> join_group(const std::string& group, const std::string& interface = {}) override;
  chained<void> leave_group(const std::string& group, const std::string& interface = {}) override;
  std::error_code set_ttl(int hops) override;
  [[nodiscard]] int get_ttl() const override { return ttl_; }
  std::error_code set_loopback_mode(bool on) override;
  [[nodiscard]] bool get_loopback_mode() const override { return loopback_; }
  chained<void> set_outgoing_interface(const std::string& interface) override;
  [[nodiscard]] std::string get_outgoing_interface() const override { return outgoing_; }

private:
  [[nodiscard]] bool is_unix() const noexcept {
    return host_.type() == net_address::kind::unix_socket;
  }
  [[nodiscard]] std::error_code wrong(const net_address& to) const;
  std::error_code refuse(std::error_code why) noexcept;
  std::error_code take(bytes_view data, const net_address& to);

  std::vector<datagram> written_;
  std::vector<membership> groups_;
  datagram_counters counters_;
  datagram_protocol* protocol_ = nullptr;
  net_address host_ = net_address::ip("10.0.0.1", 12345);
  net_address peer_;
  std::string outgoing_ = "0.0.0.0";
  std::error_code failing_;
  int ttl_ = 1;
  bool loopback_ = true;
  bool broadcast_ = false;
  bool open_ = true;
  bool stopping_ = false;
};

} // namespace troupe::testing
