#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

/// The size of a terminal in characters. Zero is "unknown".
struct window_size {
  std::uint16_t columns = 0;
  std::uint16_t rows = 0;
  friend bool operator==(const window_size&, const window_size&) = default;
};

/// Reads what a peer sends for NAWS: two numbers, each at most 1000, as more is a mistake or an attack.
/// Nothing if it is of another length. Source: RFC 1073
[[nodiscard]] std::optional<window_size> parse_window_size(std::string_view data);
[[nodiscard]] std::string make_window_size(window_size size);

/// Returns what asks a peer for the name of its terminal; each time it tells the next one that it can
/// be, and the last one twice. Source: RFC 1091
[[nodiscard]] std::string terminal_type_send();

/// Reads the answer: upper case, at most 40 characters of A to Z, digits and `- + . / _ `, others left
/// out. Nothing if it is no answer, or a name of nothing.
[[nodiscard]] std::optional<std::string> parse_terminal_type(std::string_view data);
[[nodiscard]] std::string make_terminal_type(std::string_view name);

/// Returns what asks a peer to say in which of these character sets it wants to go on. Source: RFC 2066
[[nodiscard]] std::string charset_request(const std::vector<std::string>& names);

/// What a subnegotiation of CHARSET says.
struct charset_message {
  enum class kind : std::uint8_t { request, accepted, rejected, other };
  kind what = kind::other;
  std::vector<std::string> names; ///< that are offered, or the one that is accepted
};

/// Reads it; at most 32 names of at most 40 characters.
[[nodiscard]] charset_message parse_charset(std::string_view data);

/// Returns the answer to a request: the first of `names` that `accepted` lists, whatever the case, or a
/// rejection.
[[nodiscard]] std::string answer_charset(const std::vector<std::string>& names,
                                         const std::vector<std::string>& accepted);

/// Reads the variables that a peer sends for NEW-ENVIRON (IS and INFO), in order.
///
/// Only names that `allowed` lists are taken, and of these only values of printable ASCII that do not
/// begin with `-`, at most 128 characters: a value reaches the arguments and the environment of other
/// programs sooner than its reader thinks. All else is left out. USER variables are never taken. Whoever
/// does not need this option refuses it, as `telnet_session` does unless it is told otherwise.
/// Source: RFC 1572; CVE-2026-24061
[[nodiscard]] std::vector<std::pair<std::string, std::string>>
parse_environment(std::string_view data, const std::vector<std::string>& allowed);

/// Returns what asks a peer for these variables.
[[nodiscard]] std::string environment_send(const std::vector<std::string>& names);

/// What a mask of LINEMODE says. Source: RFC 1184
struct linemode_mode {
  bool edit = false;         ///< the client edits the line
  bool trap_signals = false; ///< and sends IP and others for its keys
  bool acknowledged = false;
  friend bool operator==(const linemode_mode&, const linemode_mode&) = default;
};

/// Returns a subnegotiation of LINEMODE that sets the mode; and reads one, or nothing if it is of another
/// kind (FORWARDMASK, SLC).
[[nodiscard]] std::string make_linemode(linemode_mode mode);
[[nodiscard]] std::optional<linemode_mode> parse_linemode(std::string_view data);

} // namespace troupe
