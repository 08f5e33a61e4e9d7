#include <troupe/basic/socks_message.hpp>

#include <string>
#include <vector>

#include <troupe/basic/socks_server.hpp>
#include <troupe/testing/hostile_input.hpp>
#include <troupe/testing/split_feed.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::string_literals;
using strings = std::vector<std::string>;

namespace {

// What a server reads; it takes the password if that is offered.
strings server_events(const testing::split_input& input) {
  strings events;
  socks_server_parser parser;
  bool over = false;
  input.feed([&](std::string_view piece) {
    while (!over) {
      switch (parser.next(piece)) {
      case socks_server_parser::status::more:
        CHECK(piece.empty());
        return true;
      case socks_server_parser::status::methods:
        events.push_back("methods " + testing::show_bytes(parser.methods()));
        parser.choose(parser.offers(socks_method::password) ? socks_method::password
                      : parser.offers(socks_method::none)   ? socks_method::none
                                                            : socks_method::unacceptable);
        break;
      case socks_server_parser::status::credentials:
        events.push_back("login " + parser.user() + ' ' + parser.password());
        break;
      case socks_server_parser::status::request: {
        const auto& r = parser.request();
        events.push_back("request " + std::to_string(r.version) + ' '
                         + std::to_string(static_cast<int>(r.command)) + ' ' + r.target.to_string()
                         + ' ' + std::to_string(static_cast<int>(r.target.type())) + ' ' + r.user);
        over = true;
        break;
      }
      case socks_server_parser::status::failed:
        events.push_back("failed: " + std::string{to_string(parser.error())});
        return false;
      }
    }
    if (events.back().starts_with("rest "))
      events.back() += piece;
    else
      events.push_back("rest " + std::string{piece});
    return true;
  });
  return events;
}

strings server_events(std::string_view input) {
  return server_events(testing::split_input{input, {}});
}

void same_for_splits(std::string_view input) {
  CHECK(testing::split_difference(input,
                                  [](const auto& i) {
                                    auto events = server_events(i);
                                    if (!events.empty() && events.back() == "rest ")
                                      events.pop_back();
                                    return events;
                                  })
        == "");
}

strings client_events(const testing::split_input& input, const socks_client_options& options,
                      const net_address& target) {
  socks_client_parser parser{options, target};
  strings events{testing::show_bytes(parser.begin())};
  bool over = false;
  std::string rest;
  input.feed([&](std::string_view piece) {
    while (!over) {
      const auto s = parser.next(piece);
      if (s == socks_client_parser::status::more)
        return true;
      if (s == socks_client_parser::status::send) {
        events.push_back(testing::show_bytes(parser.to_send()));
        continue;
      }
      over = true;
      static constexpr const char* names[] = {"more",         "send",      "granted",  "refused",
                                              "login_failed", "no_method", "malformed"};
      events.push_back(names[static_cast<std::size_t>(s)] + " "s + std::to_string(parser.number()));
    }
    rest += piece;
    return true;
  });
  events.push_back(rest);
  return events;
}

const net_address host{net_address::kind::host_name, "example.org", 80};
const net_address v4{net_address::kind::ipv4, "192.0.2.1", 80};
const net_address v6{net_address::kind::ipv6, "2001:db8::1", 443};

} // namespace

TEST_CASE("a server reads requests of version 4 and 4a, and leaves what follows") {
  const auto plain = "\x04\x01\x00\x50\xc0\x00\x02\x01me\0GET /"s;
  CHECK(server_events(plain) == strings{"request 4 1 192.0.2.1:80 1 me", "rest GET /"});
  const auto named = "\x04\x02\x01\xbb\0\0\0\x07\0example.org\0"s;
  CHECK(server_events(named) == strings{"request 4 2 example.org:443 4 ", "rest "});
  const auto number = "\x04\x01\x00\x50\0\0\0\x01\0"
                      "127.0.0.1\0"s; // a name that is an address is one
  CHECK(server_events(number) == strings{"request 4 1 127.0.0.1:80 1 ", "rest "});
  for (const auto& input : {plain, named, number})
    same_for_splits(input);
}

TEST_CASE("a server reads the messages of version 5") {
  const auto name = "\x05\x01\x00\x05\x01\x00\x03\x0b"
                    "example.org\0\x50rest"s;
  CHECK(server_events(name)
        == strings{"methods \\x00", "request 5 1 example.org:80 4 ", "rest rest"});
  const auto login =
    "\x05\x03\x00\x01\x02\x01\x03joe\x06secret\x05\x01\x07\x01\xc0\0\x02\x01\0\x50"s;
  CHECK(server_events(login)
        == strings{"methods \\x00\\x01\\x02", "login joe secret", "request 5 1 192.0.2.1:80 1 joe",
                   "rest "});
  const auto ipv6 =
    "\x05\x01\x00\x05\x03\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x01\xbb"s;
  CHECK(server_events(ipv6)
        == strings{"methods \\x00", "request 5 3 [2001:db8::1]:443 2 ", "rest "});
  for (const auto& input : {name, login, ipv6})
    same_for_splits(input);
}

TEST_CASE("a server refuses what is wrong, with what to answer") {
  const auto greeted = "\x05\x01\x00"s;
  struct row {
    std::string input;
    strings events;
  };
  const row rows[] = {
    {"GET / HTTP/1.1\r\n", {"failed: granted"}},
    {"\x16\x03\x01", {"failed: granted"}},
    {"\x03", {"failed: granted"}},
    {"\x04\x03\0\x50\x01\x01\x01\x01"s, {"failed: command not supported"}},
    {"\x04\x01\0\x50\x01\x01\x01\x01"s + std::string(256, 'u'), {"failed: general failure"}},
    {"\x04\x01\0\x50\0\0\0\x01\0"s + std::string(256, 'h'), {"failed: general failure"}},
    {"\x04\x01\0\x50\0\0\0\x01\0\0"s, {"failed: general failure"}},
    {"\x04\x01\0\x50\0\0\0\x01\0a b\0"s, {"failed: general failure"}},
    {"\x05\x00"s, {"methods ", "failed: not allowed by its rules"}},
    {"\x05\x01\x01"s + "x", {"methods \\x01", "failed: not allowed by its rules"}},
    {greeted + "\x04\x01\0\x01"s, {"methods \\x00", "failed: general failure"}},
    {greeted + "\x05\x01\0\x05"s, {"methods \\x00", "failed: kind of address not supported"}},
    {greeted + "\x05\x01\0\x03\0"s, {"methods \\x00", "failed: general failure"}},
    {greeted + "\x05\x04\0\x01\x01\x01\x01\x01\0\x50"s,
     {"methods \\x00", "failed: command not supported"}},
    {greeted + "\x05\x01\0\x03\x03"s + "a\x1b" + "b\0\x50"s,
     {"methods \\x00", "failed: general failure"}},
    {"\x05\x01\x02\x02"s + "\x01", {"methods \\x02", "failed: general failure"}},
  };
  for (const auto& r : rows) {
    CAPTURE(testing::show_bytes(r.input));
    CHECK(server_events(r.input) == r.events);
  }
}

TEST_CASE("texts of 255 bytes are taken") {
  const std::string most(255, 'h');
  CHECK(server_events("\x04\x01\0\x50\0\0\0\x01"s + most + '\0' + most + '\0')
        == strings{"request 4 1 " + most + ":80 4 " + most, "rest "});
  CHECK(server_events("\x05\x01\0\x05\x01\0\x03\xff"s + most + "\0\x50"s)[1]
        == "request 5 1 " + most + ":80 4 ");
}

TEST_CASE("replies have their size, and the address that is bound") {
  CHECK(socks_reply_message(4, socks_reply::granted, v4) == "\0\x5a\0\x50\xc0\0\x02\x01"s);
  CHECK(socks_reply_message(4, socks_reply::refused) == "\0\x5b\0\0\0\0\0\0"s);
  CHECK(socks_reply_message(4, socks_reply::granted, v6).size() == 8);
  CHECK(socks_reply_message(5, socks_reply::granted, v4) == "\x05\0\0\x01\xc0\0\x02\x01\0\x50"s);
  CHECK(socks_reply_message(5, socks_reply::granted, v6).size() == 22);
  CHECK(socks_reply_message(5, socks_reply::refused) == "\x05\x05\0\x01\0\0\0\0\0\0"s);
}

TEST_CASE("a client says what it wants, and reads the answers, the same for every split") {
  struct row {
    socks_client_options options;
    net_address target;
    std::string input;
    strings events;
  };
  const row rows[] = {
    {{.version = 4, .user = "me"},
     v4,
     "\0\x5a\0\0\0\0\0\0hi"s,
     {"\\x04\\x01\\x00P\\xc0\\x00\\x02\\x01me\\x00", "granted 90", "hi"}},
    {{.version = 4},
     host,
     "\0\x5b\0\0\0\0\0\0"s,
     {"\\x04\\x01\\x00P\\x00\\x00\\x00\\x01\\x00example.org\\x00", "refused 91", ""}},
    {{.version = 4},
     v4,
     "\x04\x5a\0\0\0\0\0\0"s,
     {"\\x04\\x01\\x00P\\xc0\\x00\\x02\\x01\\x00", "malformed 90", ""}},
    {{},
     host,
     "\x05\0\x05\0\0\x01\x7f\0\0\x01\0\x50hi"s,
     {"\\x05\\x01\\x00", "\\x05\\x01\\x00\\x03\\x0bexample.org\\x00P", "granted 0", "hi"}},
    {{.user = "joe", .password = "pw"},
     v4,
     "\x05\x02\x01\0\x05\0\0\x03\x02xy\0\x50"s + "rest",
     {"\\x05\\x02\\x00\\x02", "\\x01\\x03joe\\x02pw",
      "\\x05\\x01\\x00\\x01\\xc0\\x00\\x02\\x01\\x00P", "granted 0", "rest"}},
    {{.user = "joe", .password = "pw"},
     v4,
     "\x05\x02\x01\x01"s,
     {"\\x05\\x02\\x00\\x02", "\\x01\\x03joe\\x02pw", "login_failed 0", ""}},
    {{}, v4, "\x05\xff"s, {"\\x05\\x01\\x00", "no_method 0", ""}},
    {{}, v4, "\x05\x02"s, {"\\x05\\x01\\x00", "malformed 0", ""}},
    {{}, v4, "HT", {"\\x05\\x01\\x00", "malformed 0", ""}},
    {{},
     v4,
     "\x05\0\x05\x05\0\x01"s,
     {"\\x05\\x01\\x00", "\\x05\\x01\\x00\\x01\\xc0\\x00\\x02\\x01\\x00P", "refused 5", ""}},
    {{},
     v4,
     "\x05\0\x05\0\0\x09"s,
     {"\\x05\\x01\\x00", "\\x05\\x01\\x00\\x01\\xc0\\x00\\x02\\x01\\x00P", "malformed 0", ""}},
  };
  for (const auto& r : rows) {
    const auto run = [&](const testing::split_input& i) {
      return client_events(i, r.options, r.target);
    };
    CHECK(run({r.input, {}}) == r.events);
    CHECK(testing::split_difference(r.input, run) == "");
  }
}

TEST_CASE("a client is told before it connects what will not fit") {
  const auto problem = [](const socks_client_options& o, const net_address& a) {
    return std::string{socks_client_parser::problem(o, a)};
  };
  CHECK(problem({}, host).empty());
  CHECK(problem({.version = 4}, host).empty());
  CHECK(problem({}, {net_address::kind::host_name, std::string(255, 'h'), 1}).empty());
  CHECK_FALSE(problem({}, {net_address::kind::host_name, std::string(256, 'h'), 1}).empty());
  CHECK_FALSE(problem({}, {net_address::kind::host_name, "a\r\nb", 1}).empty());
  CHECK_FALSE(problem({}, {net_address::kind::host_name, "", 1}).empty());
  CHECK_FALSE(problem({}, {net_address::kind::host_name, "a", 0}).empty());
  CHECK_FALSE(problem({.version = 4}, v6).empty());
  CHECK_FALSE(problem({.version = 4, .user = "a\0b"s}, v4).empty());
  CHECK_FALSE(problem({.user = std::string(256, 'u'), .password = "p"}, v4).empty());
  CHECK_FALSE(problem({.user = "u"}, v4).empty());
  CHECK_FALSE(problem({.version = 6}, v4).empty());
}

TEST_CASE("hostile input makes no difference by splits, and never more than a few events") {
  const testing::hostile_input make{
    {"\x04\x01\0\x50\0\0\0\x01me\0example.org\0"s, "\x05\x01\x00\x05\x01\0\x03\x03"s + "abc\0\x50"s,
     "\x05\x02\x00\x02\x01\x01u\x01p\x05\x01\0\x01\x7f\0\0\x01\0\x50"s}};
  make.each(
    [](std::string_view bytes) {
      const auto run = [](const testing::split_input& i) {
        auto events = server_events(i);
        if (!events.empty() && events.back() == "rest ")
          events.pop_back();
        return events;
      };
      const auto input = bytes.substr(0, 700);
      if (run({input, {}}).size() > 4)
        FAIL("too many events of " << testing::show_bytes(input));
      const auto difference = testing::split_difference(
        input, run, {.all_ways = 0, .all_pairs = 0, .all_places = 10, .random = 2});
      if (!difference.empty())
        FAIL(difference);
    },
    300);
}

TEST_CASE("addresses of this machine are known, however they are written") {
  for (const auto* local :
       {"127.0.0.1", "127.255.1.2", "0.0.0.0", "169.254.1.1", "::1", "::", "fe80::1", "febf::1",
        "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "::ffff:169.254.0.1"})
    CHECK(is_local_address(net_address::ip(local, 1)));
  for (const auto* other :
       {"192.0.2.1", "10.0.0.1", "2001:db8::1", "fec0::1", "::ffff:192.0.2.1", "64:ff9b::102:304"})
    CHECK_FALSE(is_local_address(net_address::ip(other, 1)));
  CHECK(is_local_address(net_address::path("")));
}

TEST_CASE("SOCKS: the head of a datagram is read and written, and fragments and pieces are none") {
  const auto read = [](std::string_view in) {
    const auto d = read_socks_datagram(in);
    return d ? d->address.to_string() + ' ' + std::string{d->data} : "none";
  };
  const auto v4 = "\0\0\0\x01\xc0\0\x02\x01\0\x50hello"s;
  const auto v6 = "\0\0\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50hello"s;
  const auto named = "\0\0\0\x03\x0b"
                     "example.org\0\x50hello"s;
  CHECK(read(v4) == "192.0.2.1:80 hello");
  CHECK(read(v6) == "[2001:db8::1]:80 hello");
  CHECK(read(named) == "example.org:80 hello");
  CHECK(read("\0\0\0\x03\x09"
             "127.0.0.1\0\x50"s)
        == "127.0.0.1:80 ");
  for (const auto& whole : {v4, v6, named})
    for (std::size_t i = 0; i + 5 < whole.size(); ++i)
      CHECK(read(whole.substr(0, i)) == "none");
  CHECK(read(v4.substr(0, 10)) == "192.0.2.1:80 ");
  CHECK(read("\0\0\x01\x01\xc0\0\x02\x01\0\x50hello"s) == "none");
  CHECK(read("\0\0\0\x02\xc0\0\x02\x01\0\x50hello"s) == "none");
  CHECK(read("\0\0\0\x03\0\0\x50hello"s) == "none");
  CHECK(read("\0\0\0\x03\x03"
             "a\nb\0\x50hello"s)
        == "none");
  for (const auto& whole : {v4, v6}) {
    std::string out;
    append_socks_datagram_head(out, read_socks_datagram(whole)->address);
    CHECK(out + "hello" == whole);
  }
}
