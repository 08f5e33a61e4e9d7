#include <troupe/net/address_networks.hpp>

#include <stdexcept>

#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("a set of networks has the addresses in them, and no others") {
  const address_networks set{{"10.0.0.0/8", "192.0.2.7", "172.16.0.0/12", "fd00::/8", "::1"}};
  for (const auto* in : {"10.0.0.0", "10.255.255.255", "192.0.2.7", "172.31.255.255", "fdff::1",
                         "::1", "::ffff:10.1.2.3", "fd00::1%lo"})
    CHECK(set.has(in));
  for (const auto* out :
       {"9.255.255.255", "11.0.0.0", "192.0.2.6", "192.0.2.8", "172.32.0.0", "172.15.255.255",
        "fc00::1", "::2", "::", "10.0.0", "localhost", "/tmp/a", ""})
    CHECK_FALSE(set.has(out));
  CHECK_FALSE(set.has({"10.0.0.1\0x", 10}));
}

TEST_CASE("a network of no bits has all addresses of its family, and an empty set none") {
  CHECK(address_networks{{"0.0.0.0/0"}}.has("203.0.113.9"));
  CHECK_FALSE(address_networks{{"0.0.0.0/0"}}.has("2001:db8::1"));
  CHECK(address_networks{{"::/0"}}.has("2001:db8::1"));
  CHECK(address_networks{{"::/0"}}.has("203.0.113.9")); // as a mapped one
  CHECK_FALSE(address_networks{}.has("127.0.0.1"));
  CHECK(address_networks{}.empty());
}

TEST_CASE("what is no network is refused by name") {
  for (const std::string bad : {"", "x", "10.0.0.0/33", "::1/129", "10.0.0.0/", "10.0.0.0/8x",
                                "10.0.0.0/-1", "10.0.0/8", "localhost"})
    CHECK_THROWS_WITH(address_networks{{bad}}, Catch::Contains('"' + bad + '"'));
}
