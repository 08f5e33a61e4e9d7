#pragma once

#include <cstddef>
#include <memory>
#include <unordered_set>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/net/address_networks.hpp>
#include <troupe/net/proxy_header.hpp>
#include <troupe/net/proxy_protocol.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/patience.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "connection_ends.hpp"
#include "unique_fd.hpp"

namespace troupe::detail {

/// `proxy_protocol_options` in the form in which a port asks them.
struct proxy_rules {
  proxy_rules() = default;

  /// \throws std::invalid_argument if a proxy is neither an address nor a network nor "unix", or a
  ///         number makes no sense
  explicit proxy_rules(const proxy_protocol_options& options);

  [[nodiscard]] bool in_use() const noexcept { return unix_sockets || !proxies.empty(); }
  [[nodiscard]] bool names(const socket_address& peer) const;

  address_networks proxies;
  bool unix_sockets = false;
  unnamed_peers others = unnamed_peers::refused;
  duration timeout{};
  std::size_t max_length = 0;
  std::size_t max_waiting = 0;
};

/// Takes the headers of the PROXY protocol from the connections of a port, and hands these on.
///
/// It looks at what has come, and takes no byte behind the header: whoever has the socket next, a
/// protocol or TLS, reads from there. A header is mostly there when its connection is; only for one that
/// is not, the socket is watched.
///
/// Thread: that of its port.
class proxy_door {
public:
  /// What hears of the connections; as its actor, whose end ends the door.
  class port {
  public:
    /// The header has been read. Called within `receive`, too.
    virtual void header_came(unique_fd fd, const connection_ends& ends) = 0;

    /// There is no good one, and the connection is closed.
    virtual void header_failed(const socket_address& proxy, const failure& why) = 0;

    /// A place for one that waits is free.
    virtual void one_less_waits() = 0;

  protected:
    ~port() = default;
  };

  proxy_door(pinned_actor& owner, port& told, proxy_rules rules)
    : owner_(owner), port_(told), rules_(std::move(rules)) {}
  ~proxy_door() { clear(); }
  proxy_door(const proxy_door&) = delete;
  proxy_door& operator=(const proxy_door&) = delete;

  [[nodiscard]] const proxy_rules& rules() const noexcept { return rules_; }
  [[nodiscard]] bool is_full() const noexcept { return waiting_.size() >= rules_.max_waiting; }

  /// Reads the header of a connection from a named proxy.
  void receive(unique_fd fd, const socket_address& proxy);

  /// Closes those that wait.
  void clear() noexcept;

private:
  struct visitor;

  void go_on(const std::shared_ptr<visitor>& v);
  void watch(const std::shared_ptr<visitor>& v);
  void limit(const std::shared_ptr<visitor>& v, time_point due, time_point at);
  void fail(const std::shared_ptr<visitor>& v, const failure& why);
  void leave(const std::shared_ptr<visitor>& v);

  pinned_actor& owner_;
  port& port_;
  const proxy_rules rules_;
  std::unordered_set<std::shared_ptr<visitor>> waiting_;
};

} // namespace troupe::detail
