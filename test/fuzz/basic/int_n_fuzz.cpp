#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <troupe/basic/int_n_parser.hpp>
#include <troupe/testing/split_feed.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using troupe::int_n_parser;
  constexpr std::size_t max = 1000;
  if (size == 0)
    return 0;
  const auto prefix = static_cast<std::uint8_t>(1 << data[0] % 3);
  const std::string_view input{reinterpret_cast<const char*>(data) + 1, size - 1};
  const auto difference = troupe::testing::split_difference(
    input,
    [&](const troupe::testing::split_input& split) {
      std::vector<std::string> events;
      int_n_parser parser{prefix, max};
      split.feed([&](std::string_view piece) {
        for (std::string_view string;;) {
          const auto found = parser.next(piece, string);
          if (found == int_n_parser::status::more)
            return true;
          if (found == int_n_parser::status::too_long) {
            events.push_back("too long: " + std::to_string(parser.length()));
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
