#include "lock_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/catch.hpp"
#include "support/directory.hpp"

using namespace troupe;
using namespace troupe::testing;
using troupe::detail::lock_file;

TEST_CASE("a lock is held by somebody, by nobody, or it cannot be told") {
  const directory d;
  const auto path = d / "s.lock";
  CHECK(lock_file::held(path) == lock_file::holder::nobody);
  {
    const lock_file lock{path};
    CHECK(lock_file::held(path) == lock_file::holder::somebody);
  }
  CHECK(lock_file::held(path) == lock_file::holder::nobody);
}

TEST_CASE("the lock of another user, which this one may not read, is not taken for free") {
  const directory d;
  const auto path = d / "s.lock";
  const lock_file lock{path};
  const bool root = ::geteuid() == 0;
  if (root) {
    REQUIRE(::chmod(d.path.c_str(), 0755) == 0);
    REQUIRE(::seteuid(65534) == 0);
  } else {
    REQUIRE(::chmod(path.c_str(), 0) == 0);
  }
  const auto told = lock_file::held(path);
  if (root)
    REQUIRE(::seteuid(0) == 0);
  CHECK(told == lock_file::holder::unknown);
}
