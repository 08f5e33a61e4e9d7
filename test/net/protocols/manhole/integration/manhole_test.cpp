// A manhole at a UNIX socket, and a script that asks it.

#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <troupe/manhole/manhole.hpp>

#include "support/catch.hpp"
#include "support/directory.hpp"
#include "support/running.hpp"

using namespace troupe;

namespace {

/// Sends all of `commands` at once, ends its half, and returns all that is answered.
std::string answers(const std::string& path, const std::string& commands) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const timeval limit{30, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  REQUIRE(::send(fd, commands.data(), commands.size(), 0) == static_cast<ssize_t>(commands.size()));
  REQUIRE(::shutdown(fd, SHUT_WR) == 0);
  std::string all;
  char some[4096];
  ssize_t n = 0;
  while ((n = ::recv(fd, some, sizeof some, 0)) > 0)
    all.append(some, static_cast<std::size_t>(n));
  ::close(fd);
  REQUIRE(n == 0); // and not that its patience is over
  return all;
}

} // namespace

TEST_CASE("manhole: a script has all its answers in order, and then the end") {
  const testing::directory folder;
  const auto path = folder / "manhole";
  testing::running r{2};
  listen_manhole(r.rt, path);
  r.start();
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  for (int i = 0; i < 20; ++i) {
    const auto got = answers(path, "actors nobody\nloops\nnonsense\ntimers nobody\nloops");
    const auto first = got.find("actors that are not hidden"), second = got.find("longest turn"),
               third = got.find("no command nonsense"), last = got.rfind("longest turn");
    REQUIRE(last != std::string::npos);
    CHECK(first < second);
    CHECK(second < third);
    CHECK(third < last);
  }
}
