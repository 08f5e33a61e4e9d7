#include <troupe/testing/hostile_input.hpp>

#include <set>
#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace troupe::testing;

namespace {

std::set<std::string> made_by(const hostile_input& make, std::size_t random, unsigned seed = 1) {
  std::set<std::string> all;
  make.each([&](std::string_view bytes) { all.emplace(bytes); }, random, seed);
  return all;
}

} // namespace

TEST_CASE("hostile input has the sample, each of its beginnings, and each single change") {
  const auto made = made_by(hostile_input{{"12:ab,"}, {"WORD"}}, 0);
  for (const auto* expected :
       {"12:ab,", "", "1", "12:ab", "2:ab,", "112:ab,", "12:ab\r",
        "12:\xff"
        "b,",
        "WORD12:ab,", "12:abWORD,", "12:ab,WORD", "18446744073709551616:ab,", "12:ab,12:ab,"})
    CHECK(made.contains(expected));
  CHECK(made.contains("12:ab," + std::string(100'000, '9')));
  CHECK(made.contains(std::string(100'000, '\0') + "12:ab,"));
}

TEST_CASE("hostile input is the same for the same seed, and another for another") {
  const hostile_input make{{"GET / HTTP/1.1\r\n\r\n", "NICK x\r\n"}};
  CHECK(made_by(make, 300) == made_by(make, 300));
  CHECK(made_by(make, 300) != made_by(make, 300, 2));
}

TEST_CASE("hostile input is made of nothing, too") {
  CHECK_FALSE(made_by(hostile_input{{}}, 200).empty());
  CHECK_FALSE(made_by(hostile_input{{""}}, 200).empty());
}
