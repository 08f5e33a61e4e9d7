#include <troupe/net/host_name.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

std::string made(std::string_view name) {
  const auto result = ascii_host_name(name);
  return result ? *result : '[' + std::string{result.error().code().message()} + ']';
}

} // namespace

TEST_CASE("a name in ASCII is as it was, whatever it is") {
  for (const auto* name : {"", "example.org", "Example.ORG.", "127.0.0.1", "::1", "fe80::1%eth0",
                           "a_b", "xn--bcher-kva.example", "not a host"})
    CHECK(made(name) == name);
}

TEST_CASE("a name that is not ASCII becomes what DNS knows it by") {
  if (!ascii_host_name("\u00fc"))
    return; // a build without libidn2
  CHECK(made("b\u00fccher.example") == "xn--bcher-kva.example");
  CHECK(made("B\u00dcCHER.Example") == "xn--bcher-kva.example");
  CHECK(made("bu\u0308cher.example") == "xn--bcher-kva.example"); // not composed
  CHECK(made("fa\u00df.de") == "xn--fa-hia.de");                  // not "fass.de"
  CHECK(made("\u4f8b\u3048.\u30c6\u30b9\u30c8") == "xn--r8jz45g.xn--zckzah");
  CHECK(made("\u4f8b\u3048\u3002example") == "xn--r8jz45g.example"); // another full stop
  CHECK(made("\u00fc_a.example") == "xn--_a-wka.example");
}

TEST_CASE("what cannot be the name of a host is refused, and nothing gets out of it") {
  if (!ascii_host_name("\u00fc"))
    return;
  for (const std::string& bad :
       {std::string{"\xff.example"}, std::string{"\xc3"},
        std::string{"evil.c\u2100.example"}, // "a/c"
        std::string{"a\uff0fb.example"}, std::string{"a\uff20b.example"}, std::string{"a\uff1a80"},
        std::string{"\u00fc b.example"}, std::string("\u00fc\0.example", 11), std::string{"\u200b"},
        std::string{"\u00fc..example"}, std::string{"-\u00fc.example"},
        std::string(64, 'a') + "\u00fc.example", std::string(2000, '\xc3')}) {
    CAPTURE(bad);
    const auto result = ascii_host_name(bad);
    REQUIRE_FALSE(result);
    CHECK(result.error().check(errc::invalid_address));
  }
}
