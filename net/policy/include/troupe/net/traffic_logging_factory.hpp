#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <troupe/net/wrapping_factory.hpp>

namespace troupe {

/// Where traffic is logged, and how much of it.
struct traffic_log {
  /// Each connection gets a file of this name, with `-1`, `-2`, ... behind it. Empty logs all of
  /// them through the runtime's logger, at level info.
  std::string file_prefix{};

  /// How many bytes of one read or write are shown; 0 shows all.
  std::size_t length_limit = 1024;

  /// How long one file may become: a peer must not be able to fill the disk.
  std::size_t file_limit = 64 * 1024 * 1024;
};

/// Logs what a connection reads and writes: a line for each event, numbered by connection.
///
/// ```
/// *                       the connection is open
/// C 1: "hello\r\n"        the peer sent this
/// S 1: "welcome\r\n"      this was written
/// SV 1: ["a", "b"]        this was written with one write_sequence
/// S 1: *                  lose_connection was called
/// C 1: connection_done    the connection has ended
/// ```
///
/// It is for finding out what is wrong. Files are written within the turn, and each line is flushed.
///
/// Source: twisted.protocols.policies.TrafficLoggingProtocol
class traffic_logging_protocol : public protocol_wrapper {
public:
  traffic_logging_protocol(const traffic_log& to, std::uint64_t number);
  ~traffic_logging_protocol() override;

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  using protocol_wrapper::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override;
  using protocol_wrapper::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override;
  using protocol_wrapper::lose_connection;
  void lose_connection() override;

private:
  class file;

  void log(const std::string& line);
  [[nodiscard]] std::string quoted(bytes_view data) const;

  const std::uint64_t number_;
  const std::size_t length_limit_;
  std::unique_ptr<file> file_;
};

/// Logs the traffic of another factory's connections.
///
/// Source: twisted.protocols.policies.TrafficLoggingFactory
class traffic_logging_factory : public wrapping_factory {
public:
  explicit traffic_logging_factory(caf::actor_config& cfg, factory_ref inner, traffic_log to = {});

  /// Begins to count at one again.
  void reset_counter() noexcept { counter_ = 0; }

  std::unique_ptr<protocol_wrapper> make_wrapper() override;

private:
  const traffic_log to_;
  std::uint64_t counter_ = 0;
};

} // namespace troupe
