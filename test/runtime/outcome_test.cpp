#include <troupe/runtime/outcome.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <troupe/runtime/errc.hpp>

#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("an outcome has what it was made of") {
  const outcome<std::string> text{"abc"};
  REQUIRE(text);
  CHECK(*text == "abc");
  CHECK(text.error().check(errc::none));
  const outcome<std::string> none{failure{errc::timed_out, "late"}};
  CHECK_FALSE(none);
  CHECK(none.error().check(errc::timed_out));
  CHECK_THROWS_AS(none.value(), std::system_error);
  outcome<std::unique_ptr<int>> owned{std::make_unique<int>(3)};
  CHECK(*std::move(owned).value() == 3);
}

TEST_CASE("a value that is empty is a value") {
  using maybe = std::optional<int>;
  CHECK(outcome<maybe>{std::nullopt}.has_value());
  CHECK(outcome<maybe>{maybe{}}.has_value());
  CHECK(outcome<maybe>{3}.value() == 3);
  CHECK(outcome<std::unique_ptr<int>>{nullptr}.has_value());
  CHECK(outcome<std::vector<int>>{std::vector<int>{}}.has_value());
  const outcome<maybe> none = [](bool there) -> outcome<maybe> {
    if (there)
      return 3;
    return std::nullopt;
  }(false);
  REQUIRE(none);
  CHECK_FALSE(none->has_value());
}
