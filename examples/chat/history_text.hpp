#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <troupe/history/kept_message.hpp>

/// Returns how many lines `/history` is asked for: 1 to 100, or 20 if nothing is said; 0 if that is no such number.
[[nodiscard]] std::size_t history_lines(std::string_view count);

/// Returns the newest lines of what was said, each behind the time when it was, and what comes before and after them.
///
/// \param lines  how many at most. They are fewer where they are long: all have to fit into the output of one user.
[[nodiscard]] std::string history_text(const troupe::history_page& page, std::size_t lines);
