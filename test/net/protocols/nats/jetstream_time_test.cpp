#include <troupe/nats/jetstream_types.hpp>

#include "support/catch.hpp"

using namespace troupe;

TEST_CASE("a server's time is read to the microsecond, and nothing else is") {
  CHECK(microseconds_of_time("1970-01-01T00:00:00Z") == 0);
  CHECK(microseconds_of_time("2026-11-28T23:11:12.345678901Z") == 1795907472345678);
  CHECK(microseconds_of_time("2026-11-28T23:11:12.5Z") == 1795907472500000);
  for (const char* text :
       {"", "2026-11-28", "2026-02-30T00:00:00Z", "2026-11-28T24:00:00Z", "2026-11-28T23:11:12",
        "2026-11-28T23:11:12+01:00", "1969-01-01T00:00:00Z", "2026-11-28T23:11:12.Zx",
        "x026-11-28T23:11:12Z"})
    CHECK_FALSE(microseconds_of_time(text));
}
