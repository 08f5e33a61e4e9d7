#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/history/kept_message.hpp>
#include <troupe/history/kept_topics.hpp>
#include <troupe/irc/history.hpp>

/// Returns `name` as IRC can write it: what cannot stand in a nick or in the name of a channel is full-width, a space is
/// U+00A0. It looks the same to `look_of`.
[[nodiscard]] std::string in_irc(std::string_view name);

/// A line of a room, as all doors write it: `<name> text`, or `* name text` for what somebody does, in which the name has no
/// plain space. Views into it.
struct said_line {
  std::string_view name;
  std::string_view text;
  bool action = false;
};

/// Returns the parts of a line, or nothing if it is none of these, or says nothing.
[[nodiscard]] std::optional<said_line> parse_said(std::string_view line);

/// Returns its text as IRC has it, with the marks of an ACTION.
[[nodiscard]] std::string irc_text(const said_line& said);

/// Finds what a client of IRC asks of the past of a room: reads backwards, page by page, until it has it. A history
/// has its pages by places, and not by times, so one at a time is looked for on the way.
///
/// A line's id is the place of its message, and its number there: "k3f9q2-1042.0". Whoever said it is
/// `nick!chat@other.door`, whatever the door was: the history has their names alone.
class irc_history_walk {
public:
  /// The first page is what a room in use has in memory. The others make what is looked through as many messages as a room
  /// keeps, or so many bytes of them, all of which are taken apart on one loop.
  static constexpr std::size_t first_page = 100, page = 1000, most_pages = 11;
  static constexpr std::size_t most_bytes = 1024 * 1024;

  enum class step : std::uint8_t {
    more,    ///< the page `next` is wanted
    done,    ///< `lines` are there
    too_far, ///< it is further back than `most_pages` or `most_bytes`
    unknown, ///< there is no line with such an id
  };

  /// \param channel  as the lines are sent to it
  irc_history_walk(std::string channel, const troupe::irc::history_question& question);

  [[nodiscard]] troupe::history_request next() const noexcept { return next_; }
  [[nodiscard]] step begin() const noexcept { return begin_; }

  /// Takes the page that was wanted.
  [[nodiscard]] step take(const troupe::history_page& page);

  /// Returns how many pages it took.
  [[nodiscard]] std::size_t pages() const noexcept { return pages_; }

  /// Returns what was found, the oldest first.
  [[nodiscard]] std::vector<troupe::irc::history_line> lines() const {
    return {found_.begin(), found_.end()};
  }

private:
  struct place {
    std::optional<std::int64_t> time; // or where it is:
    troupe::history_position at;
    std::size_t number = 0;
  };

  [[nodiscard]] bool read(const troupe::irc::history_point& from, place& to);
  [[nodiscard]] std::vector<troupe::irc::history_line>
  lines_of(const troupe::kept_message& message) const;
  [[nodiscard]] bool take(const troupe::kept_message& message, std::size_t number,
                          troupe::irc::history_line&& line);

  const std::string channel_;
  const troupe::irc::history_kind kind_;
  const std::size_t limit_;
  place from_, to_;
  bool bounded_ = false; // `from_` is a place
  step begin_ = step::more;
  troupe::history_request next_;
  std::size_t pages_ = 0;
  std::size_t bytes_ = 0; // of messages that were looked at
  std::deque<troupe::irc::history_line> found_;
};
