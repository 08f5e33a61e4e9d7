// Programs that inetd starts: what they get, how many there are, and what becomes of those that do not run.

#include <troupe/basic/inetd.hpp>

#include <string>
#include <vector>

#include <unistd.h>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

inetd_service shell(const std::string& script) {
  return {.name = "unknown",
          .uid = ::geteuid(),
          .gid = ::getegid(),
          .program = "/bin/sh",
          .args = {"sh", "-c", script}};
}

} // namespace

TEST_CASE("a program gets the connection as its input, output and errors, and nothing else") {
  running r{1};
  const auto port = listen_inetd(r.rt,
                                 shell("read line; echo \"got $line\"; echo oops >&2;"
                                       "ls /proc/self/fd | tr '\\n' ' '; env | sort"),
                                 {.env = {{"PATH", "/usr/bin:/bin"}}})
                      .port();
  r.start();
  client c{port};
  c.send("hello\n");
  c.shut_write();
  const auto said = c.rest();
  CHECK_THAT(said, Catch::StartsWith("got hello\noops\n0 1 2 3 ")); // 3 is the list of ls itself
  CHECK_THAT(said, Catch::Contains("PATH=/usr/bin:/bin"));
  CHECK_THAT(said, !Catch::Contains("HOME="));
}

TEST_CASE("no more programs run at once than may; others wait for their turn") {
  running r{1};
  const auto port = listen_inetd(r.rt, shell("echo ready; cat"), {.max_children = 1}).port();
  r.start();
  client first{port};
  CHECK(first.receive(6) == "ready\n");
  client second{port};
  second.send("early");
  second.shut_write();
  first.send("x");
  CHECK(first.receive(1) == "x");
  first.shut_write();
  CHECK(first.rest() == "");
  CHECK(second.rest() == "ready\nearly");
}

TEST_CASE("a program that cannot be started closes its connection, and the service goes on") {
  const auto before = open_descriptors();
  {
    running r{1};
    auto missing = shell("");
    missing.program = "/no/such/program";
    const auto port = listen_inetd(r.rt, missing).port();
    r.start();
    for (int i = 0; i < 3; ++i)
      CHECK(client{port}.rest() == "");
  }
  CHECK(comes_down_to(before));
}

TEST_CASE("internal services are served, and an address that is taken is told") {
  running r{1};
  const auto port = listen_inetd(r.rt, {.name = "echo", .internal = "echo"}).port();
  CHECK_THROWS_AS(listen_inetd(r.rt, {.name = "x", .port = port, .program = "/bin/cat"}),
                  cannot_listen_error);
  CHECK(listen_inetd(r.rt, {.name = "echo", .datagrams = true, .internal = "echo"}).port() != 0);
  for (const bool datagrams : {false, true})
    CHECK_THROWS_AS(
      listen_inetd(r.rt, {.name = "finger", .datagrams = datagrams, .internal = "finger"}),
      std::invalid_argument);
  for (const auto& [uid, gid] : {std::pair<uid_t, gid_t>{-1, 0}, {0, -1}})
    CHECK_THROWS_AS(
      listen_inetd(r.rt, {.name = "x", .uid = uid, .gid = gid, .program = "/bin/cat"}),
      std::invalid_argument);
  r.start();
  client c{port};
  c.send("hello");
  CHECK(c.receive(5) == "hello");
}
