#pragma once

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <troupe/net/listen_multicast.hpp>

#include "support/on_loop.hpp"
#include "support/running.hpp"

namespace troupe::testing {

class told_datagrams;

/// What a `told_datagrams` does when it is called.
struct datagram_script {
  std::function<void(told_datagrams&)> start{};
  std::function<void(told_datagrams&, std::string_view, const net_address&)> received{};
  std::function<void(told_datagrams&)> refused{};
  std::function<void(told_datagrams&)> stop{};
  std::function<caf::behavior(told_datagrams&)> behavior{};
};

/// Tells what is called of it, and then does what the script says.
class told_datagrams : public datagram_protocol {
public:
  told_datagrams(caf::actor_config& cfg, events* log, datagram_script s = {})
    : datagram_protocol(cfg), log_(log), script_(std::move(s)) {}
  ~told_datagrams() override { log_->add("destroyed"); }

  void start_protocol() override { run("start", script_.start); }
  void stop_protocol() override { run("stop", script_.stop); }
  void connection_refused() override { run("refused", script_.refused); }
  void datagram_received(bytes_view data, const net_address& from) override {
    log_->add("got " + std::string(as_text(data)));
    if (script_.received)
      script_.received(*this, as_text(data), from);
  }
  caf::behavior make_behavior() override {
    return script_.behavior ? script_.behavior(*this) : datagram_protocol::make_behavior();
  }

  [[nodiscard]] events& log() const noexcept { return *log_; }

private:
  void run(const char* what, const std::function<void(told_datagrams&)>& fn) {
    log_->add(what);
    if (fn)
      fn(*this);
  }

  events* log_;
  datagram_script script_;
};

inline datagram_protocol_ref told(events& log, datagram_script s = {}) {
  return datagram_protocol::of<told_datagrams>(&log, std::move(s));
}

/// Sends everything back.
inline const datagram_script echoing{.received = [](auto& self, auto data, const auto& from) {
  if (const auto error = self.transport().write(data, from)) // Catch2's checks are for one thread
    throw std::system_error(error);
}};

/// Returns the protocol of a port; it lives while the runtime does, unless it has ended.
inline told_datagrams& protocol_of(const datagram_port& port) {
  return *static_cast<told_datagrams*>(caf::actor_cast<caf::abstract_actor*>(port.actor()));
}

/// Returns what the port has counted, as its loop sees it.
inline datagram_counters counters_of(running& server, const datagram_port& port,
                                     std::size_t loop = 0) {
  return on_loop(server, loop, [&] { return protocol_of(port).transport().counters(); });
}

/// Returns why a port cannot be opened.
template <class F>
std::string refusal_of(F open) {
  try {
    open();
  } catch (const cannot_listen_error& e) {
    return e.what();
  }
  return "it is open";
}

inline net_address local(std::uint16_t port) {
  return net_address::ip("127.0.0.1", port);
}

} // namespace troupe::testing
