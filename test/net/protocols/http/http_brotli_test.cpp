#include "http_brotli.hpp"

#include <stdexcept>

#include "http_agent_fixture.hpp"
#include "support/catch.hpp"

using namespace troupe;
using testing::agent_fixture;

namespace {

const std::string text = [] {
  std::string all;
  for (int i = 0; all.size() < 200'000; ++i)
    all += "line " + std::to_string(i) + "\n";
  return all;
}();

std::string brotli(std::string_view of) {
  return troupe::detail::packed_with_brotli(of, 5).value();
}

std::string response(const std::string& packed) {
  return "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: "
         + std::to_string(packed.size()) + "\r\n\r\n" + packed;
}

// Returns what it unpacks to, in pieces of `size` bytes with room for `room`; or "refused".
std::string unpacked(const std::string& packed, std::size_t size, std::size_t room) {
  const auto u = troupe::detail::make_http_unpacker("BR");
  std::string out;
  for (std::size_t at = 0; at < packed.size(); at += size) {
    auto piece = std::string_view{packed}.substr(at, size);
    do {
      const auto before = out.size();
      if (!u->step(piece, out, room))
        return "refused";
      if (out.size() - before > room)
        return "more than there was room for";
    } while (!piece.empty() || u->full());
  }
  return u->whole() ? out : "not whole";
}

} // namespace

TEST_CASE("without brotli nobody asks for it, or packs with it") {
  if (troupe::detail::has_brotli())
    return;
  CHECK(troupe::detail::http_codings() == "gzip");
  CHECK_FALSE(troupe::detail::make_http_unpacker("br"));
  CHECK_FALSE(troupe::detail::packed_with_brotli(text, 5));
}

TEST_CASE("brotli is unpacked, whatever the pieces and the room") {
  if (!troupe::detail::has_brotli())
    return;
  const auto packed = brotli(text);
  CHECK(packed.size() < text.size() / 4);
  for (const std::size_t size : {1UL, 7UL, 1000UL, 1'000'000UL})
    for (const std::size_t room : {1UL, 1000UL, 65536UL, 1'000'000UL})
      if (room > 1 || size == 1'000'000)
        CHECK(unpacked(packed, size, room) == text);
  CHECK(unpacked("", 1, 1).empty());
}

TEST_CASE("what is no brotli, ends early, or goes on, is refused") {
  if (!troupe::detail::has_brotli())
    return;
  const auto packed = brotli("hello, hello, hello, hello, hello, hello");
  CHECK(unpacked(packed.substr(0, packed.size() - 1), 100, 100) == "not whole");
  CHECK(unpacked(packed + "x", 100, 100) == "refused");
  CHECK(unpacked(packed + "x", 1, 100) == "refused");
  CHECK(unpacked(std::string(100, '\xff'), 100, 100) == "refused");
}

TEST_CASE("a text that does not get shorter is not packed with brotli") {
  if (!troupe::detail::has_brotli())
    return;
  CHECK_FALSE(troupe::detail::packed_with_brotli("x", 5));
  CHECK_FALSE(troupe::detail::packed_with_brotli("", 5));
}

TEST_CASE("an agent unpacks brotli in whatever pieces it comes") {
  if (!troupe::detail::has_brotli())
    return;
  const auto whole = response(brotli(text));
  for (const std::size_t size : {1UL, 7UL, 1000UL, 1'000'000UL}) {
    agent_fixture t;
    agent_fixture::result got;
    t.get("http://a/", got);
    CHECK(t.heard().find("\r\nAccept-Encoding: gzip, br\r\n") != std::string::npos);
    for (std::size_t at = 0; at < whole.size(); at += size) {
      auto& peer = *t.server.peers.back();
      t.net.enter(peer, [&] { peer.say(std::string_view{whole}.substr(at, size)); });
      if (size > 1 || at < 200)
        t.net.flush();
    }
    t.net.flush();
    REQUIRE(got);
    CHECK((*got)->decoded());
    CHECK(t.body(**got) == text);
    CHECK(t.agent->idle_connections() == 1);
  }
}

TEST_CASE("a bomb of brotli does not go off") {
  if (!troupe::detail::has_brotli())
    return;
  const auto bomb = brotli(std::string(100'000'000, '\0'));
  CHECK(bomb.size() < 10'000);
  agent_fixture t;
  agent_fixture::result got;
  t.get("http://a/", got);
  t.say(response(bomb));
  REQUIRE(got);
  CHECK(t.body(**got, 200'000'000).find("1000 times its size") != std::string::npos);
  CHECK(t.server.peers.empty());
}

TEST_CASE("an agent refuses what is not packed with brotli as it says") {
  if (!troupe::detail::has_brotli())
    return;
  const auto packed = brotli("hello, hello, hello, hello, hello, hello");
  for (const auto& bad :
       {std::string{"hello, hello, hello"}, packed.substr(0, packed.size() - 1), packed + "x"}) {
    agent_fixture t;
    agent_fixture::result got;
    t.get("http://a/", got);
    t.say(response(bad));
    REQUIRE(got);
    CHECK(t.body(**got).find("[") == 0);
    CHECK(t.server.peers.empty());
  }
}
