// Addresses as the system takes them, and as protocols get them.

#include "native_address.hpp"

#include <cstddef>

#include <sys/un.h>

#include "support/catch.hpp"

using namespace troupe;
using troupe::detail::native_address;

namespace {

native_address of_bytes(const std::string& name) {
  native_address a;
  a.storage.ss_family = AF_UNIX;
  std::memcpy(reinterpret_cast<char*>(&a.storage) + offsetof(sockaddr_un, sun_path), name.data(),
              name.size());
  a.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  return a;
}

} // namespace

TEST_CASE("the address of a UNIX socket comes back from its text") {
  const auto name =
    GENERATE(as<std::string>{}, std::string("/run/x\0", 7), std::string("\0name", 5),
             std::string("\0na\0me\0", 7), std::string("\0", 1) + std::string(107, 'x'),
             std::string(107, 'x') + '\0');
  const auto a = of_bytes(name);
  const auto text = a.to_address();
  CHECK(text.type() == net_address::kind::unix_socket);
  const auto back = native_address::of_path(text.host());
  REQUIRE(back);
  CHECK(back->is(&a.storage, a.length));
}

TEST_CASE("a path has as many bytes as the system gave, terminated or not") {
  CHECK(of_bytes("/run/x").to_address() == net_address::path("/run/x"));
  CHECK(of_bytes(std::string("/run/x\0junk", 11)).to_address() == net_address::path("/run/x"));
  CHECK(of_bytes(std::string(108, 'x')).to_address().host().size() == 108);
  CHECK(of_bytes(std::string("\0n", 2)).to_address() == net_address::path("@n"));
}

TEST_CASE("a UNIX socket without a name has an empty path, which is no address") {
  CHECK(of_bytes("").to_address() == net_address::path(""));
  CHECK(native_address{}.to_address() == net_address{});
  for (const auto& wrong : {std::string(), std::string("@"), std::string(108, 'x'),
                            '@' + std::string(108, 'x'), std::string("/a\0b", 4)}) {
    CAPTURE(wrong);
    const auto made = native_address::of_path(wrong);
    REQUIRE_FALSE(made);
    CHECK(made.error().check(errc::invalid_address));
  }
}
