// The TLS state machine between two engines in memory: every split, and hostile input.

#include "support/catch.hpp"
#include "support/tls.hpp"
#include "tls_engine.hpp"

using namespace troupe;
using namespace troupe::testing;
using troupe::detail::tls_engine;
using outcome = tls_engine::outcome;

namespace {

std::string taken(std::vector<std::byte>& sink) {
  std::string result{reinterpret_cast<const char*>(sink.data()), sink.size()};
  sink.clear();
  return result;
}

std::string read_all(tls_engine& e, outcome& last) {
  std::string result;
  std::array<std::byte, 1000> buffer;
  std::size_t n = 0;
  while ((last = e.read(buffer, n)) == outcome::ok)
    result.append(reinterpret_cast<const char*>(buffer.data()), n);
  return result;
}

/// Two ends, and what is on the way between them.
struct pair {
  pair(const tls_server_context& s, const tls_client_context& c, const std::string& host)
    : server(s.settings(), from_server), client(c.settings(), from_client, host) {}

  /// Shakes hands, in pieces of `size` bytes; returns whether both are satisfied.
  bool handshake(std::size_t size = SIZE_MAX) {
    auto c = client.handshake(), s = server.handshake();
    for (int rounds = 0; rounds < 5; ++rounds) {
      s = pass(from_client, server, s, size);
      c = pass(from_server, client, c, size);
    }
    return c == outcome::ok && s == outcome::ok;
  }

  std::vector<std::byte> from_server, from_client;
  tls_engine server, client;

private:
  static outcome pass(std::vector<std::byte>& from, tls_engine& to, outcome last,
                      std::size_t size) {
    const auto text = taken(from);
    if (last == outcome::ok) { // what comes behind the handshake, such as tickets
      auto ignored = outcome::ok;
      to.feed(as_bytes(text));
      read_all(to, ignored);
    }
    for (std::size_t i = 0; i < text.size() && last == outcome::wants_input; i += size) {
      auto piece = std::string_view{text}.substr(i, size);
      to.feed(as_bytes(piece));
      last = to.handshake();
      if (size == SIZE_MAX)
        break;
    }
    return last;
  }
};

struct world {
  authority ca;
  tls_server_context server{{.identities = {ca.issue()}}};
  tls_client_context client{{.trusted_file = ca.file()}};
};

} // namespace

TEST_CASE("two ends shake hands in any pieces, and read what the other wrote") {
  const world w;
  const std::size_t size = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{1000}, SIZE_MAX);
  pair p{w.server, w.client, "localhost"};
  REQUIRE(p.handshake(size));
  outcome last{};
  REQUIRE(p.client.write(as_bytes("hello")));
  const auto sealed = taken(p.from_client);
  std::string got;
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    p.server.feed(as_bytes(std::string_view{sealed}.substr(i, 1)));
    got += read_all(p.server, last);
    CHECK(last == outcome::wants_input);
  }
  CHECK(got == "hello");
  p.client.close_notify();
  const auto end = taken(p.from_client);
  p.server.feed(as_bytes(end));
  CHECK(read_all(p.server, last).empty());
  CHECK(last == outcome::closed);
  REQUIRE(p.server.write(as_bytes("still here"))); // the other direction stays
  const auto answer = taken(p.from_server);
  p.client.feed(as_bytes(answer));
  CHECK(read_all(p.client, last) == "still here");
}

TEST_CASE("a bit that changes on the way fails the connection") {
  const world w;
  pair p{w.server, w.client, "127.0.0.1"};
  REQUIRE(p.handshake());
  REQUIRE(p.client.write(as_bytes("hello")));
  auto sealed = taken(p.from_client);
  sealed[10] = static_cast<char>(sealed[10] ^ 1);
  p.server.feed(as_bytes(sealed));
  outcome last{};
  CHECK(read_all(p.server, last).empty());
  CHECK(last == outcome::failed);
  CHECK(p.server.reason());
  CHECK_FALSE(p.server.write(as_bytes("no")));
}

TEST_CASE("garbage in place of a handshake fails it, whatever it is") {
  const world w;
  for (unsigned seed = 0; seed < 300; ++seed) {
    std::string garbage;
    auto state = seed;
    for (int i = 0; i < 2000; ++i) {
      state = state * 1664525 + 1013904223;
      garbage += static_cast<char>(state >> 24);
    }
    if (seed % 3 == 0) // the head of a record that begins well
      garbage.replace(0, 5, std::string{"\x16\x03\x01\x02\x00", 5});
    if (seed % 3 == 1) // and of a ClientHello
      garbage.replace(0, 11, std::string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11});
    std::vector<std::byte> sink;
    tls_engine e{w.server.settings(), sink};
    e.feed(as_bytes(garbage));
    CHECK(e.handshake() == outcome::failed);
    CHECK(e.reason().check(errc::tls_failed));
  }
}

TEST_CASE("every change to a byte of a handshake is survived") {
  const world w;
  std::vector<std::byte> hello_sink;
  tls_engine client{w.client.settings(), hello_sink, "localhost"};
  client.handshake();
  const auto hello = taken(hello_sink);
  for (std::size_t i = 0; i < hello.size(); ++i) {
    auto changed = hello;
    changed[i] = static_cast<char>(changed[i] ^ (1 << (i % 8)));
    std::vector<std::byte> sink;
    tls_engine e{w.server.settings(), sink};
    e.feed(as_bytes(changed));
    CHECK(e.handshake() != outcome::ok);
  }
}

TEST_CASE("a handshake that never ends is ended by its length") {
  const world w;
  std::vector<std::byte> sink;
  tls_engine e{w.server.settings(), sink};
  // Handshake messages without content that OpenSSL might skip, or a certificate without end.
  std::string record{"\x16\x03\x01\x40\x00\x01\x01\xff\xff", 9};
  record.resize(5 + 16384, 'x');
  std::string all;
  for (int i = 0; i < 64; ++i)
    all += record;
  e.feed(as_bytes(all));
  CHECK(e.handshake() == outcome::failed);
}

TEST_CASE("a host that cannot be one fails the handshake before it begins") {
  const world w;
  for (const auto& host : {std::string{}, std::string(300, 'h'), std::string{"a\0b", 3}}) {
    std::vector<std::byte> sink;
    tls_engine e{w.client.settings(), sink, host};
    CHECK(e.handshake() == outcome::failed);
    CHECK(e.reason().check(errc::invalid_argument));
    CHECK(sink.empty());
  }
}

TEST_CASE("a negative time for the handshake is refused") {
  CHECK_THROWS_AS((tls_client_context{{.handshake_timeout = std::chrono::seconds(-1)}}),
                  std::invalid_argument);
}

TEST_CASE("names match as certificates mean them") {
  CHECK(troupe::detail::name_matches("chat.example", "CHAT.example"));
  CHECK(troupe::detail::name_matches("*.example", "chat.example"));
  CHECK_FALSE(troupe::detail::name_matches("*.example", "example"));
  CHECK_FALSE(troupe::detail::name_matches("*.example", ".example"));
  CHECK_FALSE(troupe::detail::name_matches("*.example", "a.chat.example"));
  CHECK_FALSE(troupe::detail::name_matches("chat.example", "chat.example.org"));
}

namespace {

/// Lets the client ask for new keys, as often as it likes.
void update_keys(pair& p, int times) {
  for (int i = 0; i < times; ++i) {
    REQUIRE(SSL_key_update(p.client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    REQUIRE(p.client.handshake() == outcome::ok);
  }
}

} // namespace

TEST_CASE("a peer that sends key updates without end is closed for it") {
  const world w;
  pair p{w.server, w.client, "localhost"};
  REQUIRE(p.handshake());
  update_keys(p, 1000);
  const auto text = taken(p.from_client);
  auto last = outcome::ok;
  p.server.feed(as_bytes(text));
  read_all(p.server, last);
  CHECK(last == outcome::failed);
  CHECK(p.server.reason().check(errc::tls_failed));
  CHECK(p.server.reason().message().find("without data") != std::string::npos);
  CHECK(p.server.unread().size() > text.size() / 2); // the rest was not worked on
}

TEST_CASE("key updates are bounded by the data that comes with them") {
  const int updates = GENERATE(1, 3); // for each record of data
  const world w;
  pair p{w.server, w.client, "localhost"};
  REQUIRE(p.handshake());
  auto last = outcome::wants_input;
  for (int i = 0; i < 200 && last == outcome::wants_input; ++i) {
    update_keys(p, updates);
    REQUIRE(p.client.write(as_bytes("data")));
    const auto text = taken(p.from_client);
    p.server.feed(as_bytes(text));
    read_all(p.server, last);
  }
  CHECK(last == (updates == 1 ? outcome::wants_input : outcome::failed));
}
