#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <troupe/irc/line_splitter.hpp>
#include <troupe/irc/message.hpp>
#include <troupe/testing/split_feed.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace troupe::irc;
  constexpr std::size_t tags = 64;
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto difference = troupe::testing::split_difference(
    input,
    [&](const troupe::testing::split_input& split) {
      std::vector<std::string> events;
      line_splitter lines{tags};
      split.feed([&](std::string_view piece) {
        for (std::string_view text;;) {
          const auto found = lines.next(piece, text);
          if (found == line_splitter::status::more)
            break;
          if (found == line_splitter::status::too_long) {
            events.emplace_back("too long");
            continue;
          }
          if (text.empty() || text.size() > longest_line - 2 + tags)
            std::abort();
          message m;
          const auto fault = m.parse(text);
          events.emplace_back(to_string(fault));
          for (const auto part : {m.tags(), m.prefix(), m.command()})
            events.emplace_back(part);
          for (const auto p : m.params())
            events.emplace_back(p);
          if (const auto value = m.tag("a"))
            events.push_back(*value);
        }
        if (lines.kept() > longest_line + tags + 1)
          std::abort();
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
