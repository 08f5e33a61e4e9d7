#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace troupe::irc {

/// Which part of a channel's past is asked for.
///
/// `latest`: the newest lines, after `from` if that is a place; `before`, `after`: those next to `from`; `around`: those on both
/// sides of it, and itself; `between`: those next to `from`, on the side where `to` is. The places themselves are left out, but by `around`.
enum class history_kind : std::uint8_t { latest, before, after, around, between };

/// A place in a channel's past: a time, or the id of a line (`history_line::id`), or none.
struct history_point {
  std::optional<std::chrono::system_clock::time_point> time{};
  std::string id{};

  [[nodiscard]] bool is_place() const noexcept { return time || !id.empty(); }
  friend bool operator==(const history_point&, const history_point&) = default;
};

/// What a client asks for by CHATHISTORY. Source: IRCv3 draft/chathistory
struct history_question {
  history_kind kind = history_kind::latest;
  history_point from{};  ///< a place, but for `latest`
  history_point to{};    ///< a place for `between`
  std::size_t limit = 0; ///< lines: 1 to `server_options::history_limit`
};

/// What a client asks for by CHATHISTORY TARGETS: where something was said, the last of it between these times, which are
/// left out. `to` may be before `from`; those next to `from` are wanted.
///
/// Source: IRCv3 draft/chathistory
struct history_targets_question {
  std::chrono::system_clock::time_point from{};
  std::chrono::system_clock::time_point to{};
  std::size_t limit = 0; ///< 1 to `server_options::history_limit`
};

/// Where something was said, and when the last of it was.
struct history_target {
  std::string name{}; ///< of a channel, or the nick of who talked with the client
  std::chrono::system_clock::time_point latest{};
};

/// A line that was said before.
struct history_line {
  std::chrono::system_clock::time_point time{};
  std::string id{};   ///< as no other line has it; empty: none. Up to 100 bytes
  std::string from{}; ///< the prefix: "nick!user@host"
  std::string text{}; ///< is cleaned, and cut where it does not fit
};

} // namespace troupe::irc
