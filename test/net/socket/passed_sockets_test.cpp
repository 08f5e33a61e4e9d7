#include "passed_sockets.hpp"

#include "support/catch.hpp"

using troupe::detail::passed_sockets;

namespace {

using list = std::vector<std::string>;

list names(const char* pid, const char* count, const char* given = nullptr) {
  return passed_sockets{42, pid, count, given}.names();
}

} // namespace

TEST_CASE("sockets that were passed have the names that were given to them", "[endpoint]") {
  CHECK(names("42", "2", "web:admin") == list{"web", "admin"});
  CHECK(names("42", "2") == list{"unknown", "unknown"});
  CHECK(names("42", "3", "web") == list{"web", "unknown", "unknown"});
  CHECK(names("42", "3", ":web:") == list{"unknown", "web", "unknown"});
  CHECK(names("42", "1", "web:more") == list{"web"});
  const passed_sockets two{42, "42", "3", "web:admin:admin"};
  CHECK(two.named("web") == 3);
  CHECK(two.named("admin") == 4);
  CHECK(two.named("we") == std::nullopt);
}

TEST_CASE("what was passed to another process, or makes no sense, is nothing", "[endpoint]") {
  CHECK(names(nullptr, nullptr).empty());
  CHECK(names("42", nullptr).empty());
  CHECK(names(nullptr, "1").empty());
  CHECK(names("41", "1").empty());
  for (const auto* count : {"", "0", "-1", "x", "1x", " 1", "99999999999999999999", "2000000000"}) {
    CAPTURE(count);
    CHECK(names("42", count).empty());
  }
  for (const auto* pid : {"", "x", "42x", " 42"}) {
    CAPTURE(pid);
    CHECK(names(pid, "1").empty());
  }
}
