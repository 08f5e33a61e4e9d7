#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <troupe/basic/netstring_parser.hpp>
#include <troupe/testing/split_feed.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using troupe::netstring_parser;
  constexpr std::size_t max = 1000;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto difference = troupe::testing::split_difference(
    input,
    [&](const troupe::testing::split_input& split) {
      std::vector<std::string> events;
      netstring_parser parser{max};
      split.feed([&](std::string_view piece) {
        for (std::string_view string;;) {
          const auto found = parser.next(piece, string);
          if (found == netstring_parser::status::more)
            return true;
          if (found == netstring_parser::status::failed) {
            events.emplace_back(to_string(parser.error()));
            return false;
          }
          if (string.size() > max)
            std::abort();
          events.emplace_back(string);
        }
      });
      return events;
    },
    {.all_ways = 6, .all_pairs = 0, .all_places = 30, .random = 3});
  if (!difference.empty()) {
    std::fprintf(stderr, "%s\n", difference.c_str());
    std::abort();
  }
  return 0;
}
