#include <troupe/runtime/react.hpp>

#include <csignal>
#include <sstream>

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/defer_later.hpp>
#include <troupe/testing/deferred.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

namespace {

struct program {
  std::ostringstream log;
  runtime rt{{.loops = 1,
              .logger = std::make_shared<spdlog::logger>(
                "", std::make_shared<spdlog::sinks::ostream_sink_mt>(log))}};
};

deferred<void> wait_and_clean_up(runtime& rt, bool& cleaned) {
  bool cancelled = false;
  try {
    co_await defer_later(rt.reactor(), 1h);
  } catch (const cancelled_error&) {
    cancelled = true;
  }
  co_await defer_later(rt.reactor(), 1ms);
  cleaned = cancelled;
}

} // namespace

TEST_CASE("a program that does its work exits with 0", "[react][M03]") {
  program p;
  bool ran = false;
  CHECK(react(p.rt,
              [&](runtime& rt) {
                return defer_later(rt.reactor(), 1ms, [&] { ran = rt.reactor().running(); });
              })
        == 0);
  CHECK(ran);
  program at_once;
  CHECK(react(at_once.rt, [](runtime&) {}) == 0);
}

TEST_CASE("an int is the exit code", "[react][M03]") {
  program p;
  CHECK(react(p.rt, [](runtime& rt) { return defer_later(rt.reactor(), 1ms, [] { return 4; }); })
        == 4);
}

TEST_CASE("a program that fails exits with 1 and says why", "[react][M03]") {
  program p;
  CHECK(react(p.rt,
              [](runtime&) {
                return fail<void>(failure{errc::malformed_input, "line 3"});
              })
        == 1);
  CHECK(p.log.str().find("line 3") != std::string::npos);
  program thrown;
  CHECK(react(thrown.rt, [](runtime&) { throw std::runtime_error("no way"); }) == 1);
  CHECK(thrown.log.str().find("no way") != std::string::npos);
}

TEST_CASE("a program may choose its exit code in the middle", "[react][M03]") {
  program p;
  CHECK(react(p.rt,
              [](runtime& rt) {
                return defer_later(rt.reactor(), 1ms, [] { throw exit_program{23}; });
              })
        == 23);
  CHECK(p.log.str().empty());
}

TEST_CASE("a signal cancels the program, lets it clean up, and is its exit code", "[react][M03]") {
  program p;
  bool cleaned = false;
  CHECK(react(p.rt,
              [&](runtime& rt) {
                rt.reactor().call_later(1ms, [] { std::raise(SIGTERM); });
                return wait_and_clean_up(rt, cleaned);
              })
        == 0); // it took note of the cancellation, and was done
  CHECK(cleaned);
  auto* const before = std::signal(SIGINT, SIG_DFL); // Catch2 has it
  program undone;
  CHECK(react(undone.rt,
              [&](runtime& rt) {
                rt.reactor().call_later(1ms, [] { std::raise(SIGINT); });
                return defer_later(rt.reactor(), 1h);
              })
        == 130);
  std::signal(SIGINT, before);
  CHECK(undone.log.str().find("error") == std::string::npos);
}

TEST_CASE("a program that stops the runtime itself is cancelled", "[react][M03]") {
  program p;
  CHECK(react(p.rt,
              [&](runtime& rt) {
                rt.stop();
                return defer_later(rt.reactor(), 1h);
              })
        == 0);
  CHECK(p.log.str().empty());
}
