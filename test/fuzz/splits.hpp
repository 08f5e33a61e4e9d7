#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/testing/split_feed.hpp>

namespace troupe::fuzz {

/// Ends the process, and says where it was cut, if `run(const testing::split_input&)` finds other events
/// when `input` comes in pieces.
template <class Run>
void same_for_splits(std::string_view input, Run&& run) {
  const auto difference = testing::split_difference(
    input, run, {.all_ways = 6, .all_pairs = 0, .all_places = 30, .random = 3});
  if (difference.empty())
    return;
  std::fprintf(stderr, "%s\n", difference.c_str());
  std::abort();
}

/// Returns the strings that a parser finds, none of which has more than `max` bytes, and at the end what
/// `refusal(parser)` says of its failure.
template <class Parser, class Refusal>
std::vector<std::string> strings_of(Parser parser, std::size_t max,
                                    const testing::split_input& split, Refusal&& refusal) {
  std::vector<std::string> events;
  split.feed([&](std::string_view piece) {
    for (std::string_view string;;) {
      switch (parser.next(piece, string)) {
      case Parser::status::more:
        return true;
      case Parser::status::string:
        if (string.size() > max)
          std::abort();
        events.emplace_back(string);
        break;
      default:
        events.emplace_back(refusal(parser));
        return false;
      }
    }
  });
  return events;
}

} // namespace troupe::fuzz
