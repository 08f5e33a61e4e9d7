#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/basic/socks_server.hpp>
#include <troupe/net/datagram_port.hpp>
#include <troupe/net/datagram_protocol.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe::detail {

/// What one client of SOCKS sends and gets by UDP: a port that the client sends to, and one for each family of
/// addresses towards its targets. Nothing comes in from where the client has not sent to.
///
/// Thread: its loop's. Source: RFC 1928, section 7
class socks_association : public std::enable_shared_from_this<socks_association> {
public:
  /// Which of its ports one is.
  enum side : std::size_t { to_client, to_ipv4, to_ipv6 };

  /// How many targets are remembered, and how many of these are being asked about.
  static constexpr std::size_t most_targets = 256;
  static constexpr std::size_t most_questions = 16;

  /// How many bytes wait for what is being asked about.
  static constexpr std::size_t most_held = 64 * 1024;

  /// \param peer  the client, from whose address alone datagrams are taken
  /// \param port  from which it sends; 0: whichever it uses first
  socks_association(runtime& rt, event_loop& where,
                    std::shared_ptr<const socks_server_options> options, socks_request request,
                    net_address peer, std::uint16_t port);

  /// Opens the port for the client. \throws cannot_listen_error
  /// \returns where it is
  net_address listen(const std::string& interface);

  /// Ends it: nothing is sent or received any more.
  void close();

  // -- for its ports ----------------------------------------------------------------------------

  void opened(side s, datagram_protocol* p) noexcept { at_[s] = p; }
  void received(side s, bytes_view data, const net_address& from);

private:
  enum class state : std::uint8_t { asked, allowed, refused };

  struct target {
    net_address name;    // as the client says it
    net_address address; // in numbers, once it is allowed
    std::vector<std::string> held;
    std::uint64_t used = 0;
    enum state state = state::asked;
  };
  struct question;

  void from_client(bytes_view data, const net_address& from);
  void from_target(bytes_view data, const net_address& from);
  target* find_target(const net_address& name);
  target* new_target(const net_address& name);
  void hold(target& t, std::string_view data);
  void ask(const net_address& name);
  void try_next(const std::shared_ptr<question>& q);
  void decide(const net_address& name, const net_address* address);
  void send(const net_address& to, bytes_view data);
  void open(side s, const std::string& interface);

  runtime& rt_;
  event_loop& loop_;
  const std::shared_ptr<const socks_server_options> options_;
  const socks_request request_;
  const net_address peer_;
  net_address client_; // where it sends from; port 0 until that is known
  std::array<std::optional<datagram_port>, 3> ports_; // opened once at most
  std::array<bool, 3> tried_{};
  std::array<datagram_protocol*, 3> at_{};
  std::vector<target> targets_;
  std::size_t latest_ = 0;   // of the targets, which is often the next one
  std::size_t answered_ = 0; // the same of what comes back
  std::size_t held_ = 0;
  std::uint64_t turn_ = 0;
  std::string message_; // being written
  bool over_ = false;
};

} // namespace troupe::detail
