// Subjects, headers, keys, URLs, what a server says of itself, and what one that we start is told.

#include <troupe/nats/nats_credentials.hpp>
#include <troupe/nats/nats_errc.hpp>
#include <troupe/nats/nats_headers.hpp>
#include <troupe/nats/nats_server_child.hpp>
#include <troupe/nats/nats_server_info.hpp>
#include <troupe/nats/nats_subject.hpp>
#include <troupe/nats/nats_url.hpp>
#include <troupe/nats/nkey.hpp>

#include <fstream>

#include "support/catch.hpp"
#include "support/directory.hpp"

#include "nats_handshake.hpp"
#include "server_pool.hpp"

using namespace troupe;
using namespace std::string_literals;

TEST_CASE("subjects and patterns") {
  for (const char* s : {"a", "a.b", "$SYS.x", "a.b*", "a.>b", "\xc3\xa4.b"})
    CHECK(valid_nats_subject(s));
  for (const char* s :
       {"", ".", "a.", ".a", "a..b", "a b", "a\tb", "a\r\nPUB b", "*", "a.*", ">", "a.>", "a\x7f"})
    CHECK_FALSE(valid_nats_subject(s));
  CHECK_FALSE(valid_nats_subject("a\0b"s));
  for (const char* s : {"a", "*", ">", "a.*.c", "a.>", "*.*"})
    CHECK(valid_nats_pattern(s));
  for (const char* s : {"", ">.a", "a.>.b", "a..b", "a b"})
    CHECK_FALSE(valid_nats_pattern(s));
  CHECK(valid_nats_subject(std::string(longest_nats_subject, 'x')));
  CHECK_FALSE(valid_nats_subject(std::string(longest_nats_subject + 1, 'x')));
  CHECK(valid_nats_queue("workers"));
  CHECK_FALSE(valid_nats_queue(""));
  CHECK_FALSE(valid_nats_queue("two words"));

  CHECK(nats_matches("a.b", "a.b"));
  CHECK(nats_matches("a.*", "a.b"));
  CHECK(nats_matches("a.>", "a.b.c"));
  CHECK(nats_matches(">", "a"));
  CHECK_FALSE(nats_matches("a.>", "a"));
  CHECK_FALSE(nats_matches("a.*", "a"));
  CHECK_FALSE(nats_matches("a.*", "a.b.c"));
  CHECK_FALSE(nats_matches("a.b", "a.c"));
  CHECK_FALSE(nats_matches("a.b.c", "a.b"));
}

TEST_CASE("headers go out and come in") {
  nats_headers h{{"A", "1"}, {"b", " spaced "}, {"A", "2"}};
  CHECK(h.get("A") == "1");
  CHECK(h.get_all("A") == std::vector<std::string_view>{"1", "2"});
  CHECK(h.get("a") == std::nullopt); // capitals count
  CHECK(h.block() == "NATS/1.0\r\nA: 1\r\nb: spaced\r\nA: 2\r\n\r\n");
  CHECK(nats_headers::parse(h.block()).value() == h);
  h.set("A", "3");
  CHECK(h.get_all("A") == std::vector<std::string_view>{"3"});

  const auto status = nats_headers::parse("NATS/1.0 503 No Responders\r\nX:y\r\n\r\n").value();
  CHECK(status.status() == 503);
  CHECK(status.description() == "No Responders");
  CHECK(status.get("X") == "y");
  CHECK(nats_headers::parse("NATS/1.0\n\n").value().empty());
  CHECK(nats_headers::parse("NATS/1.0\r\nA:\r\n\r\n").value().get("A") == "");
  CHECK(nats_status("NATS/1.0 100\r\n\r\n") == 100);
  CHECK(nats_status("NATS/1.0 1000\r\n\r\n") == 0);
  CHECK(nats_status("NATS/1.0 003\r\n\r\n") == 0);
  CHECK(nats_status("NATS/1.0\r\n\r\n") == 0);
  CHECK(nats_status("") == 0);

  const auto block = h.block();
  CHECK(nats_header(block, "A") == "3");
  CHECK(nats_header(block, "b") == "spaced");
  CHECK(nats_header(block, "a") == std::nullopt);
  CHECK(nats_header("NATS/1.0\r\nAB:1\r\nA: 2\r\n\r\nC:3\r\n", "A") == "2");
  CHECK(nats_header("NATS/1.0\r\nA:1\r\n\r\nC:3\r\n", "C") == std::nullopt);
  CHECK(nats_header("NATS/1.0\r\nA", "A") == std::nullopt);
  CHECK(nats_header("A:1\r\n", "A") == std::nullopt);
  CHECK(nats_header("", "A") == std::nullopt);
}

TEST_CASE("what cannot be headers is refused both ways") {
  for (const std::string& bad : std::initializer_list<std::string>{
         ""s, "NATS/1.0"s, "NATS/1.0\r\n"s, "NATS/1.0\r\nA: 1\r\n"s, "HTTP/1.0\r\n\r\n"s,
         "NATS/1.0x\r\n\r\n"s, "NATS/1.0 abc\r\n\r\n"s, "NATS/1.0 003 x\r\n\r\n"s,
         "NATS/1.0\r\nno colon\r\n\r\n"s, "NATS/1.0\r\n: v\r\n\r\n"s, "NATS/1.0\r\nA b: v\r\n\r\n"s,
         "NATS/1.0\r\n folded\r\n\r\n"s, "NATS/1.0\r\nA: \0\r\n\r\n"s,
         "NATS/1.0\r\nA: a\rb\r\n\r\n"s, "NATS/1.0\r\n\r\nmore"s}) {
    INFO(bad);
    const auto got = nats_headers::parse(bad);
    CHECK(!got.has_value());
    CHECK(got.error().check(errc::malformed_input));
  }
  nats_headers h;
  for (const char* name : {"", "a b", "a:", "a\r\n", "\xc3\xa4"})
    CHECK_THROWS_AS(h.add(name, "v"), std::invalid_argument);
  CHECK_THROWS_AS(h.add("a", "v\r\nInjected: 1"), std::invalid_argument);
  CHECK_THROWS_AS(h.add("a", "v\0"s), std::invalid_argument);
  CHECK(h.empty());
}

TEST_CASE("a key is known by its seed") {
  // The example of the documentation of nkeys in "User JWT and credentials".
  const nkey k{"SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"};
  CHECK(k.public_key() == "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
  CHECK(k.seed() == "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY");
  CHECK(k.sign("nonce").size() == 64);
  CHECK(k.sign("nonce") == k.sign("nonce"));
  CHECK(k.sign("nonce") != k.sign("other"));

  const auto made = nkey::create(nkey::kind::account);
  CHECK(made.seed().starts_with("SA"));
  CHECK(made.public_key().starts_with("A"));
  CHECK(nkey{made.seed()}.public_key() == made.public_key());

  const std::string seed = k.seed();
  for (const std::string& bad : std::initializer_list<std::string>{
         ""s, "S"s, seed.substr(1), seed + "A", k.public_key() + "AA", seed.substr(0, 57) + "A",
         seed.substr(0, 20) + "1" + seed.substr(21)}) {
    INFO(bad);
    CHECK_THROWS_AS(nkey{bad}, nats_credentials_error);
  }
}

TEST_CASE("a file of credentials") {
  const std::string text =
    "-----BEGIN NATS USER JWT-----\neyJ0.eyJq.c2ln\n------END NATS USER JWT------\n\n"
    "************************* IMPORTANT *************************\n"
    "-----BEGIN USER NKEY SEED-----\nSUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY\n"
    "------END USER NKEY SEED------\n";
  const auto creds = nats_creds::parse(text);
  CHECK(creds.jwt == "eyJ0.eyJq.c2ln");
  CHECK(creds.key.public_key().starts_with("UDXU"));
  for (std::size_t size = 0; size < text.size() - 33; ++size)
    CHECK_THROWS_AS(nats_creds::parse(text.substr(0, size)), nats_credentials_error);

  const testing::directory folder;
  CHECK_THROWS_WITH(nats_creds::read(folder / "none"), Catch::Contains("none: No such file"));
  std::ofstream{folder / "large"} << text << std::string(64 * 1024, '\n');
  CHECK_THROWS_WITH(nats_creds::read(folder / "large"), Catch::Contains("too long"));
  std::ofstream{folder / "user.creds"} << text;
  CHECK(nats_creds::read(folder / "user.creds").jwt == creds.jwt);
}

TEST_CASE("URLs of servers") {
  const auto plain = nats_url::parse("nats://chat.example");
  CHECK(plain.host == "chat.example");
  CHECK(plain.port == 4222);
  CHECK(!plain.tls);
  const auto user = nats_url::parse("tls://joe:s%40crt@10.0.0.5:4223/");
  CHECK(user.tls);
  CHECK(user.port == 4223);
  CHECK(std::get<nats_user>(user.credentials).name == "joe");
  CHECK(std::get<nats_user>(user.credentials).password == "s@crt");
  CHECK(user.name() == "10.0.0.5:4223");
  CHECK(std::get<nats_token>(nats_url::parse("nats://tok@h").credentials).token == "tok");
  CHECK(nats_url::parse("[::1]:5").host == "::1");
  CHECK(nats_url::parse("[::1]:5").name() == "[::1]:5");
  CHECK(nats_url::parse("localhost:1").port == 1);
  for (const char* bad : {"", "nats://", "http://a", "a:", "a:0", "a:65536", "a:x", "::1", "[::1",
                          "[::1]x", "a b", "nats://a%zz@h", "a/b"}) {
    INFO(bad);
    CHECK_THROWS_AS(nats_url::parse(bad), std::invalid_argument);
  }
}

TEST_CASE("what a server says of itself") {
  const auto i =
    nats_server_info::parse(
      R"({"server_id":"S","version":"2.9.10","max_payload":42,"headers":true,"tls_required":true,
                       "connect_urls":["a:1","b:2"],"ldm":true,"nonce":"n","jetstream":true,"unknown":[[{}]]})")
      .value();
  CHECK(i.server_id == "S");
  CHECK(i.max_payload == 42);
  CHECK((i.headers && i.tls_required && i.lame_duck && i.jetstream));
  CHECK(i.connect_urls == std::vector<std::string>{"a:1", "b:2"});
  CHECK(nats_server_info::parse("{}").value().max_payload == 1024 * 1024);
  for (const char* bad :
       {"", "[]", "7", "{", R"({"headers":1})", R"({"max_payload":-1})", R"({"connect_urls":"a"})",
        R"({"connect_urls":[1]})", "{\"server_id\":\"\xff\"}"}) {
    INFO(bad);
    CHECK(!nats_server_info::parse(bad).has_value());
  }
  CHECK(!nats_server_info::parse(std::string(60'000, '[')).has_value());
}

TEST_CASE("a pool takes its servers in turn, and learns of others") {
  troupe::detail::server_pool pool{{"tls://u:p@a.example:1", "b:2"}, false};
  CHECK(pool.take().host == "a.example");
  CHECK(pool.learn({"10.0.0.9:9", "a.example:1", "evil@x:1", "no url :", "c.example:3"})
        == std::vector<std::string>{"10.0.0.9:9", "c.example:3"});
  CHECK(pool.size() == 4);
  CHECK(pool.take().host == "b");
  const auto& told = pool.take();
  CHECK(told.host == "10.0.0.9");
  CHECK(told.tls); // as secret as the server that told of it
  CHECK(told.tls_name == "a.example");
  CHECK(std::get<nats_user>(told.credentials).name == "u");
  CHECK(pool.learn({"c.example:3"}).empty()); // the present one stays, though it is not named
  CHECK(pool.size() == 4);
  CHECK(pool.take().host == "c.example");
  CHECK(pool.learn({"c.example:3"}).empty());
  CHECK(pool.size() == 3);
  CHECK(pool.take().host == "a.example");
  std::vector<std::string> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back("h" + std::to_string(i) + ":1");
  CHECK(pool.learn(many).size() == troupe::detail::server_pool::most_discovered);
}

TEST_CASE("complaints of servers have names") {
  using troupe::detail::failure_of;
  CHECK(failure_of("Authorization Violation").check(nats_errc::authorization_violation));
  CHECK(failure_of("User Authentication Expired").check(nats_errc::authorization_violation));
  CHECK(failure_of("Permissions Violation for Publish to \"a\"")
          .check(nats_errc::permissions_violation));
  CHECK(failure_of("Stale Connection").check(nats_errc::stale_connection));
  CHECK(failure_of("Slow Consumer").check(nats_errc::slow_consumer));
  CHECK(failure_of("something \x1b new").check(nats_errc::server_error));
  CHECK(troupe::detail::ends_connection("Parser Error"));
  CHECK(!troupe::detail::ends_connection("Permissions Violation for Publish to \"a\""));
  CHECK(troupe::detail::refused_subscription(
          "Permissions Violation for Subscription to \"a.*\" using queue \"q\"")
        == "a.*");
  CHECK(troupe::detail::refused_subscription("Permissions Violation for Subscription to \"a")
        == std::nullopt);
}

TEST_CASE("the configuration of a server that we start") {
  nats_server_options o{.name = "n \"1\"",
                        .store_directory = "/tmp/x",
                        .users = {{"joe", "p\\w", "", {"a.>"}, {"b", "c.*"}}}};
  const auto text = nats_server_config(o, 0);
  CHECK(text.find("port: -1\n") != std::string::npos);
  CHECK(text.find("server_name: \"n \\\"1\\\"\"\n") != std::string::npos);
  CHECK(text.find("password: \"p\\\\w\"") != std::string::npos);
  CHECK(text.find("publish: [\"a.>\"], subscribe: [\"b\", \"c.*\"]") != std::string::npos);
  CHECK(nats_server_config(o, 4222).find("port: 4222\n") != std::string::npos);
  o.users.push_back({"x\n}", "y"});
  CHECK_THROWS_AS(nats_server_config(o, 0), std::invalid_argument);
  o.users = {{"x", "y", "", {"a b"}}};
  CHECK_THROWS_AS(nats_server_config(o, 0), std::invalid_argument);
  o.users = {{}};
  CHECK_THROWS_AS(nats_server_config(o, 0), std::invalid_argument);
}
