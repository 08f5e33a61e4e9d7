#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <troupe/net/endpoint.hpp>
#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/promise.hpp>
#include <troupe/websocket/websocket_handshake.hpp>
#include <troupe/websocket/websocket_options.hpp>

namespace troupe {
class websocket_protocol;
}

namespace troupe::detail {

/// One attempt of a client, and who waits for it.
///
/// Thread: that of the loop on which it connects.
struct websocket_attempt {
  websocket_handshake handshake;
  std::shared_ptr<const websocket_options> options;
  duration timeout;
  std::optional<promise<connected_protocol>> waiting{};
  canceller reaching{};                 // the attempt to connect
  websocket_protocol* socket = nullptr; // once that is connected, until it has ended

  [[nodiscard]] bool wanted() const noexcept { return waiting && !waiting->called(); }

  void succeed(const connected_protocol& p) {
    if (auto w = std::exchange(waiting, std::nullopt); w && !w->called())
      w->callback(p);
  }
  void fail(const failure& why) {
    if (auto w = std::exchange(waiting, std::nullopt); w && !w->called())
      w->errback(why);
  }
};

} // namespace troupe::detail
