// Records of leases as text, names as subjects, and the times of a server.

#include "lease_text.hpp"

#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::detail;
using namespace std::chrono_literals;

TEST_CASE("a record is written and read") {
  CHECK(lease_text({.revision = 9, .holder = "a/1", .ttl = 5s}) == "lease 1 5000 a/1");
  CHECK(lease_text({}) == "lease 1 0");
  const auto r = lease_of_text("lease 1 5000 a/1");
  REQUIRE(r);
  CHECK(r->holder == "a/1");
  CHECK(r->ttl == 5s);
  CHECK(lease_of_text("lease 1 0")->holder.empty());
  CHECK(lease_of_text(lease_text({.holder = "x", .ttl = 1ns}))->ttl == 1ms); // never less
}

TEST_CASE("what is no record is none") {
  for (const char* text : {"", "lease", "lease 1", "lease 1 ", "lease 2 5 a", "lease 1 x a",
                           "lease 1 -5 a", "lease 1 5 ", "lease 1 5a", "lease 1 5ab",
                           "lease 1 86400001 a", "lease 1 99999999999999 a", "{}"})
    CHECK_FALSE(lease_of_text(text));
  const std::string well = "lease 1 5000 a/1";
  for (std::size_t n = 0; n < 10; ++n)
    CHECK_FALSE((n < 9 && lease_of_text(well.substr(0, n))));
  CHECK_FALSE(lease_of_text(well + std::string(2000, 'x')));
}

TEST_CASE("any name is one token") {
  CHECK(lease_token("billing-1_A") == "billing-1_A");
  CHECK(lease_token("a.b *>\xff") == "a%2Eb%20%2A%3E%FF");
}
