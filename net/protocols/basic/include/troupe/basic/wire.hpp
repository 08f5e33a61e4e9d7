#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <troupe/net/protocol.hpp>

/// The small services of old, over TCP: RFC 862 to 868. Those over UDP are in `wire_udp.hpp`.
namespace troupe::wire {

/// A time of the day, as the system tells it.
using wall_time = std::chrono::system_clock::time_point;

/// Returns `t` in UTC as `"Thu Jan  1 00:00:00 1970"`, whatever the locale is.
[[nodiscard]] std::string daytime_text(wall_time t);

/// Returns the seconds since 1900 as the four bytes of RFC 868, which begin anew in 2036.
[[nodiscard]] std::string time_bytes(wall_time t);

/// Returns lines of 72 characters and CR LF, each beginning one character further in ASCII than the one
/// before, as RFC 864 shows them: 95 of them, after which they repeat.
[[nodiscard]] const std::string& chargen_lines();

/// Writes back what comes (RFC 862). It reads no faster than the peer takes it back; when the peer has
/// sent everything, it gets the rest, and the connection ends.
///
/// Thread: its loop's. Source: twisted.protocols.wire.Echo
class echo : public protocol {
public:
  using protocol::protocol;
  void connection_made() override;
  void data_received(bytes_view data) override { transport().write(data); }

protected:
  void stop_requested() override;
};

/// Reads, and forgets it (RFC 863). Source: twisted.protocols.wire.Discard
class discard : public protocol {
public:
  using protocol::protocol;
  void data_received(bytes_view) override {}
};

/// Writes lines of characters for as long as the peer takes them (RFC 864), and forgets what comes.
///
/// Source: twisted.protocols.wire.Chargen
class chargen : public protocol, private producer {
public:
  using protocol::protocol;
  void connection_made() override;

protected:
  void stop_requested() override;

private:
  void resume_producing() final;
  void stop_producing() final {}
};

/// Writes the quote of the day, and closes (RFC 865). Source: twisted.protocols.wire.QOTD
class qotd : public protocol {
public:
  using protocol::protocol;
  void connection_made() override;

  /// Returns what is written; 512 bytes of it at most, and CR LF behind it.
  [[nodiscard]] virtual std::string get_quote();
};

/// Writes who is active, a line each, and closes (RFC 866). Source: twisted.protocols.wire.Who
class who : public protocol {
public:
  using protocol::protocol;
  void connection_made() override;

  /// Returns the names. Control characters in them are not written.
  [[nodiscard]] virtual std::vector<std::string> get_users();
};

/// Writes the time in UTC as text, and closes (RFC 867). Source: twisted.protocols.wire.Daytime
class daytime : public protocol {
public:
  using protocol::protocol;
  void connection_made() override;
  [[nodiscard]] virtual wall_time get_time() { return std::chrono::system_clock::now(); }
};

/// Writes the time in UTC as four bytes, and closes (RFC 868). Source: twisted.protocols.wire.Time
class time : public protocol {
public:
  using protocol::protocol;
  void connection_made() override;
  [[nodiscard]] virtual wall_time get_time() { return std::chrono::system_clock::now(); }
};

} // namespace troupe::wire
