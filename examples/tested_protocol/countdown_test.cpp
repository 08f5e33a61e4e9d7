// Tests of a protocol without a network, a thread or a second of waiting.

#define CATCH_CONFIG_MAIN // for Catch2 2; 3 has a library for it
#include <troupe/testing/leak_listener.hpp>
#include <troupe/testing/protocol_fixture.hpp>

#include "countdown.hpp"

using namespace std::chrono_literals;
using troupe::testing::leak_listener; // fails a test that leaves an error or anything else behind
CATCH_REGISTER_LISTENER(leak_listener)

TEST_CASE("it counts down, one line a second") {
  troupe::testing::protocol_fixture<countdown> t;
  t.deliver("2\r\n");
  CHECK(t.transport.value() == "2\r\n");
  t.advance(999ms);
  CHECK(t.transport.value() == "2\r\n");
  t.advance(1ms);
  CHECK(t.transport.value() == "2\r\n1\r\n");
  CHECK(t.rt.advance_to_next() == 1s);
  CHECK(t.transport.value() == "2\r\n1\r\n0\r\n");
  CHECK_FALSE(t.rt.advance_to_next());
}

TEST_CASE("its clock is the test's from the first moment on") {
  troupe::testing::protocol_fixture<countdown> t;
  t.advance(1h);
  t.enter([&] { CHECK(t->age() == 1h); });
}

TEST_CASE("what is no number ends the connection, and is an error in the log") {
  troupe::testing::protocol_fixture<countdown> t;
  troupe::testing::logged_errors errors{t.rt};
  t.deliver("soon\r\n");
  CHECK(errors.flush<std::invalid_argument>().size() == 1); // without this line, the test fails
  CHECK_FALSE(t->connected());
}

TEST_CASE("a countdown that has begun is finished before the server stops") {
  troupe::testing::protocol_fixture<countdown> t;
  t.deliver("2\r\n");
  t.rt.stop();
  t.advance(1s);
  CHECK_FALSE(t.transport.disconnecting());
  t.advance(1s);
  CHECK(t.transport.value() == "2\r\n1\r\n0\r\n");
  CHECK(t.transport.disconnecting());
}
