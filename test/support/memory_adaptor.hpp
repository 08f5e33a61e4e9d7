#pragma once

#include <stdexcept>
#include <string>

#include <troupe/testing/memory_network.hpp>

#include "support/subject.hpp"

namespace troupe::testing {

/// The transport in memory, for the suite of transports.
struct in_memory {
  static constexpr bool hears_abort = true;
  static std::string after_reset() { return subject::lost(errc::connection_lost); }

  explicit in_memory(const subjects& s)
    : port(net.listen(0, s.made)), peer(net.connect<memory_peer>(port)) {}
  in_memory(const in_memory&) = delete;
  in_memory& operator=(const in_memory&) = delete;

  // What a script throws; the suite looks at how the connection ends.
  ~in_memory() { errors.flush<std::runtime_error>(); }

  void run(const std::function<void()>& fn) {
    net.rt.in_turn(fn);
    net.flush();
  }
  bool wait(events& log, std::size_t count) {
    net.flush();
    return log.all().size() >= count;
  }
  void send(std::string_view data) {
    as_peer([&](transport& t) { t.write(data); });
    net.flush();
  }
  std::string receive(std::size_t size) {
    until([&] { return peer.received.size() >= size; });
    if (peer.received.size() < size)
      throw std::runtime_error("memory peer: the end came early");
    const auto result = peer.received.substr(0, size);
    peer.received.erase(0, size);
    return result;
  }
  std::string rest() {
    until([&] { return peer.ended; });
    return std::exchange(peer.received, {});
  }
  [[nodiscard]] bool was_reset() const { return peer.broken; }
  void shut_write() {
    as_peer([](transport& t) { t.lose_write_connection(); });
    net.flush();
  }
  void reset() {
    as_peer([](transport& t) { t.abort_connection(); });
    net.flush();
  }
  void close() {
    as_peer([](transport& t) { t.lose_connection(); });
    net.flush();
  }

  memory_network net;
  logged_errors errors{net.rt};
  std::uint16_t port;
  memory_peer& peer;

private:
  template <class F>
  void as_peer(F fn) {
    net.enter(peer, [&] { fn(peer.transport()); });
  }

  template <class Done>
  void until(Done done) {
    as_peer([](transport& t) { t.resume_producing(); });
    for (int quiet = 0; !done() && !peer.ended; ++quiet) {
      if (net.pump())
        quiet = 0;
      if (quiet > 16)
        throw std::runtime_error("memory peer: nothing comes");
    }
    as_peer([](transport& t) { t.pause_producing(); });
  }
};

} // namespace troupe::testing
