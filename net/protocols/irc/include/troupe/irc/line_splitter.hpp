#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/irc/message.hpp>

namespace troupe::irc {

/// Takes lines off a stream of bytes: CR, LF or both end a line, and empty lines are none.
///
/// It is pulled: whoever reads may stop behind any line. Bounded: of a line that is too long nothing more is
/// kept, and its rest is passed over.
///
/// ```cpp
/// for (std::string_view line; ;)
///   switch (lines.next(in, line)) { ... }
/// ```
///
/// Thread: any. Source: RFC 1459 8 (both ends are seen in the wild)
class line_splitter {
public:
  enum class status : std::uint8_t {
    more,     ///< `in` is used up, and has no whole line more
    line,     ///< a line, which is good until the next call
    too_long, ///< a line was longer than allowed, and is gone
  };

  /// \param tags  how many bytes may be tags, beside those of the message (`longest_line`)
  explicit line_splitter(std::size_t tags = longest_client_tags) noexcept : tags_(tags) {}

  /// Takes bytes off the front of `in`, up to the end of one line.
  [[nodiscard]] status next(std::string_view& in, std::string_view& line);

  /// Returns how much of a line is kept.
  [[nodiscard]] std::size_t kept() const noexcept { return kept_.size(); }

private:
  [[nodiscard]] bool too_long(std::string_view line) const noexcept;

  std::string kept_;
  std::size_t tags_;
  bool skipping_ = false;
  bool handed_ = false; // what is kept was handed out
};

} // namespace troupe::irc
