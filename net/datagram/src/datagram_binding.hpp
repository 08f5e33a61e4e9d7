#pragma once

#include <atomic>
#include <memory>

#include <troupe/net/datagram_port.hpp>

#include "listening_socket.hpp"

namespace troupe {
class runtime;
}

namespace troupe::detail {

class datagram_socket;

/// What all handles of one protocol share. The protocol holds it too while it listens; so when the
/// last reference is gone, nobody can start the protocol any more, and it is told to end.
struct datagram_binding {
  explicit datagram_binding(datagram_protocol_ref::start_function fn) : start(std::move(fn)) {}
  ~datagram_binding();
  datagram_binding(const datagram_binding&) = delete;
  datagram_binding& operator=(const datagram_binding&) = delete;

  [[nodiscard]] datagram_protocol& protocol() const noexcept {
    return *static_cast<datagram_protocol*>(caf::actor_cast<caf::abstract_actor*>(actor));
  }
  [[nodiscard]] bool ended() const noexcept;

  const datagram_protocol_ref::start_function start;
  caf::strong_actor_ptr actor;     // empty until the first port
  std::atomic<bool> in_use{false}; // a port listens, is about to, or is still stopping

  static void keep(datagram_protocol& p, std::shared_ptr<datagram_binding> b) {
    p.binding_ = std::move(b);
  }
};

/// Where a port is, and how its socket is opened: all it takes to do so again.
struct datagram_place {
  using maker =
    std::function<std::shared_ptr<datagram_socket>(event_loop& loop, listening_socket socket)>;

  net_address host;
  listening_opener open;
  maker adopt; // on the loop of the port
  event_loop* loop = nullptr;

  /// Opens the first socket of `protocol`.
  static datagram_port listen(runtime& rt, std::size_t loop, const datagram_protocol_ref& protocol,
                              listening_opener open, maker adopt);
};

} // namespace troupe::detail
