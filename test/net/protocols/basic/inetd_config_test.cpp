#include <troupe/basic/inetd_config.hpp>

#include <string>
#include <vector>

#include <unistd.h>

#include <troupe/testing/hostile_input.hpp>

#include "support/catch.hpp"

using namespace troupe;
using strings = std::vector<std::string>;

TEST_CASE("a line says service, kind, user and program, whatever the space is") {
  const auto c = inetd_config::parse("# services\n"
                                     "\n"
                                     "7007 stream tcp nowait root /bin/cat cat -u -- x\n"
                                     "  7008\tstream  tcp\tnowait.10 root.daemon /bin/cat # all\r\n"
                                     "0 stream tcp nowait:1 0:0 /bin/true");
  CHECK(c.skipped.empty());
  REQUIRE(c.services.size() == 3);
  const auto& first = c.services[0];
  CHECK(first.name == "unknown");
  CHECK(first.port == 7007);
  CHECK_FALSE(first.datagrams);
  CHECK(first.uid == 0);
  CHECK(first.gid == 0);
  CHECK(first.program == "/bin/cat");
  CHECK(first.args == strings{"cat", "-u", "--", "x"});
  CHECK(first.max_per_minute == 256);
  CHECK(c.services[1].max_per_minute == 10);
  CHECK(c.services[1].gid == 1); // Debian's daemon
  CHECK(c.services[1].args == strings{"/bin/cat"});
  CHECK(c.services[2].port == 0);
  CHECK(c.services[2].max_per_minute == 1);
}

TEST_CASE("internal services have the name of the service, or the word behind") {
  const auto text = "echo stream tcp nowait root internal\n"
                    "echo dgram udp wait root internal\n"
                    "7013 stream tcp nowait root internal daytime\n"
                    "7014 stream tcp nowait root internal finger\n"
                    "7015 stream tcp nowait root internal\n";
  const auto c = inetd_config::parse(text);
  if (c.services.size() == 3) { // this machine has a table of services
    CHECK(c.services[0].port == 7);
    CHECK(c.services[0].internal == "echo");
    CHECK(c.services[1].datagrams);
  }
  CHECK(c.services.back().internal == "daytime");
  REQUIRE(c.skipped.size() >= 2);
  CHECK(c.skipped[c.skipped.size() - 2] == "line 4: Unknown internal service: finger");
  CHECK(c.skipped.back() == "line 5: Unknown internal service: unknown");
  CHECK(inetd_config::parse(text, false).services.empty());
}

TEST_CASE("what cannot be served is passed over, with the reason") {
  struct row {
    std::string line, reason;
  };
  const row rows[] = {
    {"no-such-service stream tcp nowait root /bin/cat", "Unknown service: no-such-service (tcp)"},
    {"7 stream tcp nowait no-such-user /bin/cat", "Unknown user: no-such-user"},
    {"7 stream tcp nowait 4294967295 /bin/cat", "Unknown user: 4294967295"},
    {"7 stream tcp nowait root.4294967295 /bin/cat", "Unknown group: 4294967295"},
    {"7 stream tcp nowait root.no-such-group /bin/cat", "Unknown group: no-such-group"},
    {"7 dgram udp wait root /bin/cat", "programs that take datagrams are not supported: 7"},
    {"7 stream tcp wait root /bin/cat",
     "programs that accept connections themselves are not supported: 7"},
    {"7 stream tcp maybe root /bin/cat", "neither wait nor nowait: maybe"},
    {"7 stream tcp nowait.0 root /bin/cat", "no number of starts: nowait.0"},
    {"7 stream tcp nowait.x root /bin/cat", "no number of starts: nowait.x"},
    {"7 stream udp nowait root /bin/cat", "neither stream and tcp nor dgram and udp: stream udp"},
    {"/tmp/s stream unix nowait root /bin/cat",
     "neither stream and tcp nor dgram and udp: stream unix"},
    {"65536 stream tcp nowait root /bin/cat", "no port: 65536"},
    {"rpc/1 stream tcp nowait root /bin/cat", "RPC services are not supported: rpc/1"},
  };
  for (const auto& r : rows) {
    const auto c = inetd_config::parse("#\n" + r.line + "\n7 stream tcp nowait root /bin/cat\n");
    CHECK(c.skipped == strings{"line 2: " + r.reason});
    CHECK(c.services.size() == 1);
  }
}

TEST_CASE("fewer than six fields are refused, with the line") {
  try {
    (void)inetd_config::parse("7 stream tcp nowait root /bin/cat\n7 stream tcp nowait root\n");
    FAIL("it was taken");
  } catch (const inetd_syntax_error& e) {
    CHECK(e.line() == 2);
    CHECK(std::string{e.what()} == "line 2: Invalid line: '7 stream tcp nowait root'");
  }
}

TEST_CASE("hostile configurations are read or refused") {
  const testing::hostile_input make{
    {"7 stream tcp nowait.10 0.0 /bin/cat cat\n", "7 dgram udp wait 0 internal echo # x\n"}};
  std::size_t read = 0;
  make.each(
    [&](std::string_view text) {
      try {
        const auto c = inetd_config::parse(text);
        read += c.services.size();
      } catch (const inetd_syntax_error&) {
      }
    },
    500);
  CHECK(read > 100);
}
