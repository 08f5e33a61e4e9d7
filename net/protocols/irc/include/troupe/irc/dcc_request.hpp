#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/irc/ctcp.hpp>
#include <troupe/net/net_address.hpp>

namespace troupe::irc {

enum class dcc_kind : std::uint8_t { send, chat, resume, accept };

/// What one client asks of another, to connect directly: the data of a CTCP request "DCC".
///
/// It comes from a stranger: `dcc_file_name` before a file is called so, `dcc_refusal` before anything is
/// connected to.
struct dcc_request {
  dcc_kind kind = dcc_kind::send;
  std::string file;                    ///< as it was sent; "chat" of CHAT
  net_address address{};               ///< where to connect: SEND, CHAT; in numbers
  std::uint16_t port = 0;              ///< 0 of SEND or CHAT, with a token: the asked one listens
  std::optional<std::uint64_t> size{}; ///< of SEND; absent: not known
  std::uint64_t position = 0;          ///< RESUME, ACCEPT: how many bytes are there already
  std::string token{};                 ///< names an attempt whose port was 0

  friend bool operator==(const dcc_request&, const dcc_request&) = default;
};

/// What became of reading one.
struct dcc_parsed {
  std::optional<dcc_request> request;
  std::string problem{}; ///< "malformed DCC SEND request"; empty where silence is the answer
};

/// Reads a request: SEND, CHAT, RESUME, ACCEPT. A name with spaces stands in quotes; an address is a number of
/// 32 bits, as all clients write IPv4, or as it is usually written.
///
/// Thread: any. Source: twisted.words.protocols.irc.IRCClient.ctcpQuery_DCC
[[nodiscard]] dcc_parsed parse_dcc(std::string_view data);

/// Returns a request as CTCP.
///
/// \throws std::invalid_argument if a name has quotes, control characters or nothing
[[nodiscard]] ctcp_request to_ctcp(const dcc_request& request);

/// Returns what a file that a stranger calls `name` may be called here: the last part of a path, printable,
/// without dots in front, of at most 200 bytes. Empty: nothing is left.
[[nodiscard]] std::string dcc_file_name(std::string_view name);

/// Returns `name` with "_" for what a request cannot hold, quotes and control characters; "file" for nothing.
[[nodiscard]] std::string dcc_sendable_name(std::string_view name);

/// What is accepted from strangers.
struct dcc_rules {
  bool private_addresses = false; ///< of this machine and of networks that are not public
  bool low_ports = false;         ///< below 1024, where the system's services are
  std::uint64_t most_bytes = std::uint64_t{4} * 1024 * 1024 * 1024; ///< of a file
};

/// Tells why a request must not be followed; empty if it may.
[[nodiscard]] std::string dcc_refusal(const dcc_request& request, const dcc_rules& rules = {});

} // namespace troupe::irc
