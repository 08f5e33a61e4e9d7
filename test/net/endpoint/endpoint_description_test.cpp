#include <troupe/net/endpoint_description.hpp>

#include <random>

#include <troupe/net/endpoint_string.hpp>

#include "support/catch.hpp"

using namespace troupe;

namespace {

std::string shown(std::string_view text) {
  const auto d = endpoint_description::parse(text);
  std::string all = d.kind;
  for (const auto& a : d.arguments)
    all += '|' + (a.keyword ? *a.keyword + "->" : "") + a.value;
  return all;
}

// What the error says, and where the mark is; nothing if there is none.
struct strings {
  std::string server_error(std::string_view text) {
    try {
      (void)server_from_string(rt, text);
    } catch (const endpoint_syntax_error& e) {
      return e.what();
    }
    return {};
  }
  std::string client_error(std::string_view text) {
    try {
      (void)client_from_string(rt, text);
    } catch (const endpoint_syntax_error& e) {
      return e.what();
    }
    return {};
  }

  runtime rt{{.loops = 1, .install_signal_handlers = false}};
};

} // namespace

TEST_CASE("E01: a description is a kind and arguments", "[endpoint][E01]") {
  CHECK(shown("tcp:80") == "tcp|80");
  CHECK(shown("tcp:80:interface=127.0.0.1") == "tcp|80|interface->127.0.0.1");
  CHECK(shown("tcp:port=80:backlog=6") == "tcp|port->80|backlog->6");
  CHECK(shown("stdio") == "stdio");
  CHECK(shown("stdio:") == "stdio|");
  CHECK(shown("a::b:") == "a||b|");
}

TEST_CASE("E02: a backslash takes the meaning from what follows", "[endpoint][E02]") {
  CHECK(shown("unix:foo\\:bar\\=baz\\:qux\\\\") == "unix|foo:bar=baz:qux\\");
  CHECK(shown("unix:address=foo=bar") == "unix|address->foo=bar");
  CHECK(shown("unix:a\\bc") == "unix|abc");
  CHECK(shown("a\\:b:c") == "a:b|c");
}

TEST_CASE("E02: quoted text is one argument", "[endpoint][E02]") {
  CHECK(quote_string_argument("some : stuff \\") == "some \\: stuff \\\\");
  CHECK(quote_string_argument("a=b") == "a\\=b");
  CHECK(quote_string_argument("") == "");
}

TEST_CASE_METHOD(strings, "what is wrong with a description is shown at its place", "[endpoint]") {
  CHECK(server_error("tcp:8123:backlgo=6")
        == "tcp does not take \"backlgo\"; it takes port, interface, backlog, proxies, others\n"
           "  tcp:8123:backlgo=6\n"
           "           ^");
  CHECK(server_error("tcp:eighty")
        == "\"port\" is a number from 0 to 65535, and not \"eighty\"\n"
           "  tcp:eighty\n"
           "      ^");
  CHECK(server_error("tcp:80:backlog=x")
        == "\"backlog\" is a number from 1 to 2147483647, and not \"x\"\n"
           "  tcp:80:backlog=x\n"
           "                 ^");
  CHECK(server_error("tcp")
        == "tcp needs \"port\"; it takes port, interface, backlog, proxies, others\n"
           "  tcp\n"
           "     ^");
  CHECK(server_error("unix:\xc3\xa4\xc3\xb6:mode=9")
        == "\"mode\" is a number from 0 to 777 in octal digits, and not \"9\"\n"
           "  unix:\xc3\xa4\xc3\xb6:mode=9\n"
           "               ^");
  CHECK(client_error("tcp:host:80:timeout=-5")
        == "\"timeout\" is a number from 1 to 31622400, and not \"-5\"\n"
           "  tcp:host:80:timeout=-5\n"
           "                      ^");
  CHECK(client_error("unix:/x:timeout=-5").find("not \"-5\"\n") != std::string::npos);
  CHECK(client_error("ssl:host:80:timeout=-5").find("not \"-5\"\n") != std::string::npos);
  CHECK(server_error("tcp:80\\").find("behind the backslash") != std::string::npos);
  CHECK(server_error("tcp:80:backlog=5:backlog=6").find("\"backlog\" is there twice\n")
        != std::string::npos);
  CHECK(server_error("tcp:80:port=81").find("twice, with and without") != std::string::npos);
  CHECK(server_error("tcp:80:127.0.0.1:5:6").find("too many") != std::string::npos);
  CHECK(server_error(std::string_view("tcp:\x1b[2J\0x", 10))
        == "\"port\" is a number from 0 to 65535, and not \"?[2J?x\"\n"
           "  tcp:?[2J?x\n"
           "      ^");
  CHECK(server_error("").find("a kind of endpoint was expected") == 0);
  CHECK(server_error("tcp=80").find("a kind of endpoint was expected") == 0);
  CHECK(server_error("tcp:=80").find("a keyword was expected") == 0);
}

TEST_CASE_METHOD(strings, "E03: an unknown kind is named, with those that there are",
                 "[endpoint][E03]") {
  CHECK(server_error("bogus-type:nothing")
          .find("unknown kind of server endpoint \"bogus-type\"; "
                "there are tcp, tcp6, ssl, tls, unix")
        == 0);
  CHECK(
    client_error("ftl:andromeda/carcosa/hali/2387").find("unknown kind of client endpoint \"ftl\"")
    == 0);
  CHECK(!server_error("TCP:80").empty());
  CHECK(client_error("TCP:host:80").empty());
}

TEST_CASE_METHOD(strings, "E01: a server takes Twisted's arguments", "[endpoint][E01]") {
  for (const auto* text :
       {"tcp:0", "tcp:80", "tcp:65535", "tcp:80:backlog=6", "tcp:80:interface=127.0.0.1",
        "tcp:1234:backlog=12:interface=10.0.0.1", "tcp:80:127.0.0.1:7", "tcp:port=80", "tcp6:80",
        "tcp6:80:interface=\\:\\:1", "unix:/var/run/finger", "unix:/var/run/finger:mode=0660",
        "tcp:80:proxies=10.0.0.0/8,192.0.2.7",
        "haproxy:tcp6:80:proxies=fd00\\:\\:/8:others=refused", "unix:/x:proxies=unix:others=direct",
        "unix:address=/x:lockfile=0:backlog=5"}) {
    CAPTURE(text);
    CHECK(server_error(text) == "");
  }
  for (const auto* text : {"tcp:-1",
                           "tcp:65536",
                           "tcp:",
                           "tcp: 80",
                           "tcp:80:interface=",
                           "tcp:80:interface=::1",
                           "tcp:80:backlog=0",
                           "tcp6:80:interface=127.0.0.1",
                           "unix",
                           "unix:",
                           "unix:/x:mode=1000",
                           "tcp:80:proxies=",
                           "tcp:80:proxies=x",
                           "tcp:80:proxies=10.0.0.0/33",
                           "tcp:80:others=direct",
                           "tcp:80:proxies=10.0.0.1:others=x",
                           "haproxy:tcp:80",
                           "haproxy:stdio:",
                           "haproxy:",
                           "haproxy",
                           "unix:/x:lockfile=2",
                           "unix:/x:lockfile=yes",
                           "ssl:443",
                           "ssl:443:x:sslmethod=y"}) {
    CAPTURE(text);
    CHECK(server_error(text) != "");
  }
}

TEST_CASE_METHOD(strings, "E01: a server takes what is there already", "[endpoint][E01]") {
  for (const auto* text : {"stdio", "stdio:", "fd:3", "fd:fileno=3"}) {
    CAPTURE(text);
    CHECK(server_error(text) == "");
    CHECK(client_error(text) != "");
  }
  CHECK(server_error("stdio:1")
        == "stdio takes no arguments\n"
           "  stdio:1\n"
           "        ^");
  CHECK(server_error("stdio::") != "");
  CHECK(server_error("stdio:x=") != "");
  CHECK(server_error("fd:x")
        == "\"fileno\" is a number from 0 to 2147483647, and not \"x\"\n"
           "  fd:x\n"
           "     ^");
  CHECK(server_error("systemd:domain=INET:index=0")
        == "\"index\" is the number of a socket (systemd has passed none to this process), and not "
           "\"0\"\n"
           "  systemd:domain=INET:index=0\n"
           "                            ^");
  CHECK(server_error("systemd:INET:name=web")
        == "\"name\" is that of a socket (systemd has passed none to this process), and not "
           "\"web\"\n"
           "  systemd:INET:name=web\n"
           "                    ^");
  CHECK(server_error("systemd:INTE:0")
        == "\"domain\" is INET, INET6 or UNIX, and not \"INTE\"\n"
           "  systemd:INTE:0\n"
           "          ^");
  const std::string either = "systemd needs either \"index\" or \"name\"\n";
  CHECK(server_error("systemd:INET").find(either) == 0);
  CHECK(server_error("systemd:INET:index=0:name=web").find(either) == 0);
}

TEST_CASE_METHOD(strings, "E01: a client takes Twisted's arguments", "[endpoint][E01]") {
  for (const auto* text :
       {"tcp:host:1234", "tcp:host:1234:timeout=7:bindAddress=127.0.0.2", "tcp:host=x:port=80",
        "tcp:x:port=80", "tcp:80:host=x", "tcp6:\\:\\:1:80", "unix:/x",
        "unix:path=/x:timeout=3:lockfile=1", "unix:/x:checkPID=1", "ssl:host:443",
        "tls:host:443:hostname=other:timeout=5"}) {
    CAPTURE(text);
    CHECK(client_error(text) == "");
  }
  for (const auto* text : {"tcp", "tcp:host", "tcp:host:port", "tcp::80", "tcp:host:80:timeout=0",
                           "tcp:host:80:timeout=1.5", "tcp:host:80:bindAddress=localhost",
                           "tcp6:127.0.0.1:80", "unix", "unix:/x:mode=1"}) {
    CAPTURE(text);
    CHECK(client_error(text) != "");
  }
}

TEST_CASE_METHOD(strings, "any text survives being quoted, and no description does harm",
                 "[endpoint][E02]") {
  std::mt19937 random{20261123};
  const std::string letters = std::string("\\:=ab6tcpunix/\n\xc3\xff") + '\0';
  const auto any = [&](std::size_t most) {
    std::string text(random() % (most + 1), ' ');
    for (auto& c : text)
      c = letters[random() % letters.size()];
    return text;
  };
  for (int i = 0; i < 20000; ++i) {
    const auto first = any(12);
    const auto second = any(12);
    const auto d = endpoint_description::parse("kind:" + quote_string_argument(first)
                                               + ":key=" + quote_string_argument(second));
    REQUIRE(d.arguments.size() == 2);
    REQUIRE(d.arguments[0].value == first);
    REQUIRE(!d.arguments[0].keyword);
    REQUIRE(d.arguments[1].value == second);

    auto text = any(20);
    if (i % 2 == 0)
      text = (i % 4 == 0 ? "tcp:" : "unix:") + text;
    for (const bool server : {true, false})
      try {
        if (server)
          (void)server_from_string(rt, text);
        else
          (void)client_from_string(rt, text);
      } catch (const endpoint_syntax_error& e) {
        REQUIRE(e.position() <= text.size());
        REQUIRE(std::string_view(e.what()).back() == '^'); // no NUL has cut it off
      }
  }
}
