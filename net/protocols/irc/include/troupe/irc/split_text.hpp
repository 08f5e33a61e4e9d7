#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace troupe::irc {

/// Cuts `text` in pieces of at most `room` bytes: at its line ends, else at the last space that fits, which
/// goes, else between code points. Empty pieces vanish.
///
/// \param room  at least 4, so that every code point fits
/// \throws std::invalid_argument if it is less: "maximum length must exceed 3"
/// Thread: any. Source: twisted.words.protocols.irc.split
[[nodiscard]] std::vector<std::string_view> split_text(std::string_view text, std::size_t room);

/// Returns the room that a text to `target` has in a line, as others will see it: with the prefix of its
/// sender in front.
[[nodiscard]] std::size_t text_room(std::string_view prefix, std::string_view command,
                                    std::string_view target) noexcept;

} // namespace troupe::irc
