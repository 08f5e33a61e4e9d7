#include <troupe/testing/split_feed.hpp>

#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace troupe::testing;
using strings = std::vector<std::string>;

namespace {

strings pieces_of(const split_input& input) {
  strings all;
  input.feed([&](std::string_view piece) { all.emplace_back(piece); });
  return all;
}

// Lines, as a parser finds them that keeps what is unfinished.
strings lines_of(const split_input& input) {
  strings lines;
  std::string rest;
  input.feed([&](std::string_view piece) {
    rest += piece;
    for (std::size_t end; (end = rest.find("\r\n")) != std::string::npos; rest.erase(0, end + 2))
      lines.push_back(rest.substr(0, end));
  });
  return lines;
}

} // namespace

TEST_CASE("an input is fed in the pieces that the cuts make") {
  CHECK(pieces_of({"abcdef", {}}) == strings{"abcdef"});
  CHECK(pieces_of({"abcdef", {1, 4}}) == strings{"a", "bcd", "ef"});
  CHECK(pieces_of({"abcdef", {0, 3, 3, 6}}) == strings{"abc", "def"});
  CHECK(pieces_of({"", {}}).empty());
}

TEST_CASE("a short input is cut in every way there is") {
  std::set<strings> ways;
  CHECK(split_difference("abcdef", [&](const split_input& input) {
          ways.insert(pieces_of(input));
          return 0;
        }).empty());
  CHECK(ways.size() == 32);
}

TEST_CASE("a longer input is cut at every place, at every pair of them, and byte by byte") {
  const std::string input = "0123456789abcdefghijklmnop";
  std::set<std::vector<std::size_t>> cuts;
  CHECK(split_difference(input, [&](const split_input& i) {
          cuts.insert(i.cuts());
          return 0;
        }).empty());
  for (std::size_t first = 1; first < input.size(); ++first) {
    CHECK(cuts.contains({first}));
    for (auto second = first + 1; second < input.size(); ++second)
      CHECK(cuts.contains({first, second}));
  }
  std::vector<std::size_t> bytes;
  for (std::size_t at = 1; at < input.size(); ++at)
    bytes.push_back(at);
  CHECK(cuts.contains(bytes));
}

TEST_CASE("a parser whose events are the same for every split has no difference") {
  CHECK(split_difference("one\r\n\r\ntwo\r\nthree", lines_of).empty());
  const auto longer = std::string(5000, 'x') + "\r\n" + std::string(3000, '\r') + "\r\nend\r\n";
  CHECK(split_difference(longer, lines_of, {.all_places = 20}).empty());
}

TEST_CASE("a parser that forgets half of a delimiter is found, with the place") {
  const auto forgetful = [](const split_input& input) {
    strings lines;
    std::string rest;
    input.feed([&](std::string_view piece) {
      const auto end = piece.find("\r\n");
      rest += piece.substr(0, end);
      if (end != std::string_view::npos)
        lines.push_back(rest);
    });
    return lines;
  };
  CHECK(split_difference("ab\r\n", forgetful, {.all_ways = 0, .byte_wise = 0})
        == "cut at 3, \"ab\\r\\n\" gives {} and not {\"ab\"}");
}

TEST_CASE("a feed ends when the parser takes no more") {
  strings seen;
  split_input{"abc", {1, 2}}.feed([&](std::string_view piece) {
    seen.emplace_back(piece);
    return seen.size() < 2;
  });
  CHECK(seen == strings{"a", "b"});
}

TEST_CASE("bytes are shown as a source has them") {
  CHECK(show_bytes({"a\"\\\r\n\t\0\xff", 8}) == "a\\\"\\\\\\r\\n\\t\\x00\\xff");
  CHECK(show_bytes("abcdef", 3) == "abc... (6 bytes)");
}
