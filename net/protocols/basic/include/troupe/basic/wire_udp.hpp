#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <troupe/basic/wire.hpp>
#include <troupe/net/datagram_protocol.hpp>

namespace troupe::wire {

/// Answers each datagram with one: the base of the services over UDP.
///
/// Two that answer everything would answer each other for ever, and anybody can write whose datagram it
/// is. So none is answered that says that it comes from port 7, 11, 13, 17, 19 or 37, where such services
/// are, or from a port with the number of this one.
///
/// Thread: its loop's.
class udp_service : public datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;

  /// Returns what is sent back.
  virtual std::string answer(bytes_view datagram) = 0;

  void datagram_received(bytes_view data, const net_address& from) final;

  /// Tells whether a datagram from that port is answered at a port `own`.
  [[nodiscard]] static bool may_answer(std::uint16_t from, std::uint16_t own) noexcept;
};

/// Sends back what comes (RFC 862).
class udp_echo : public udp_service {
public:
  using udp_service::udp_service;
  std::string answer(bytes_view datagram) override { return std::string{as_text(datagram)}; }
};

/// Forgets what comes (RFC 863).
class udp_discard : public datagram_protocol {
public:
  using datagram_protocol::datagram_protocol;
  void datagram_received(bytes_view, const net_address&) override {}
};

/// Answers with 0 to 512 characters, as chance has it (RFC 864).
class udp_chargen : public udp_service {
public:
  explicit udp_chargen(caf::actor_config& cfg, std::uint32_t seed = std::random_device{}())
    : udp_service(cfg), draw_(seed) {}
  std::string answer(bytes_view datagram) override;

private:
  std::minstd_rand draw_;
};

/// Answers with the quote of the day (RFC 865).
class udp_qotd : public udp_service {
public:
  using udp_service::udp_service;
  std::string answer(bytes_view datagram) override;
  [[nodiscard]] virtual std::string get_quote(); ///< as of `qotd`
};

/// Answers with the names of who is active (RFC 866).
class udp_who : public udp_service {
public:
  using udp_service::udp_service;
  std::string answer(bytes_view datagram) override;
  [[nodiscard]] virtual std::vector<std::string> get_users(); ///< as of `who`
};

/// Answers with the time in UTC as text (RFC 867).
class udp_daytime : public udp_service {
public:
  using udp_service::udp_service;
  std::string answer(bytes_view datagram) override;
  [[nodiscard]] virtual wall_time get_time() { return std::chrono::system_clock::now(); }
};

/// Answers with the time in UTC as four bytes (RFC 868).
class udp_time : public udp_service {
public:
  using udp_service::udp_service;
  std::string answer(bytes_view datagram) override;
  [[nodiscard]] virtual wall_time get_time() { return std::chrono::system_clock::now(); }
};

} // namespace troupe::wire
