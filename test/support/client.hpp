#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::testing {

/// A plain blocking TCP client of the system's sockets, so that tests do not trust Troupe's own. It
/// waits ten seconds at most for anything, and then throws.
class client {
public:
  explicit client(std::uint16_t port, const std::string& host = "127.0.0.1");

  /// Takes over a connected socket of any kind.
  explicit client(int fd) noexcept : fd_(fd) {}
  ~client();
  client(client&& other) noexcept;
  client& operator=(client&&) = delete;

  void send(std::string_view data); ///< all of it

  /// Sends what the socket takes at once; returns how much.
  std::size_t send_some(std::string_view data);

  /// Receives exactly `size` bytes.
  std::string receive(std::size_t size);

  /// Receives up to and with "\r\n".
  std::string line();

  /// Receives until the end; empty `reset` tells that it came without one.
  std::string rest();

  /// Tells whether the connection was reset; meant after `rest`.
  [[nodiscard]] bool was_reset() const noexcept { return reset_; }

  void shut_write();
  void reset(); ///< closes with a TCP reset
  void close();
  void set_receive_buffer(int bytes);
  [[nodiscard]] int fd() const noexcept { return fd_; }

private:
  bool wait(short events) const;
  int fd_;
  bool reset_ = false;
};

} // namespace troupe::testing
