// What a program writes, as a result.

#include <troupe/net/get_process_output.hpp>

#include <csignal>

#include "support/process_reporter.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("X13: output, exit code, or both are results", "[process]") {
  leaves_nothing check;
  events told;
  running r{2};
  auto& rt = r.rt;
  r.start();
  const auto tell = [&told](const std::string& what) {
    return [&told, what](const failure& f) {
      told.add(what
               + (f.check(errc::process_wrote_errors) ? "wrote errors "
                  : f.check(errc::message_too_long)   ? "too long "
                  : f.check(errc::cancelled)          ? "cancelled "
                  : f.check(errc::spawn_failed)       ? "spawn failed "
                  : f.check(errc::process_terminated) ? "terminated "
                                                      : "else ")
               + f.context());
    };
  };
  rt.reactor().call_from_thread([&] {
    const auto text = [&told](const std::string& what) {
      return [&told, what](const std::string& out) {
        told.add(what + out);
      };
    };
    get_process_output(rt, "echo", {"hello"}).add_callbacks(text("1 "), tell("1 "));
    get_process_output(rt, "sh", shell("echo bad >&2")).add_callbacks(text("2 "), tell("2 "));
    get_process_output(rt, "sh", shell("echo bad >&2"), {.errors_too = true})
      .add_callbacks(text("3 "), tell("3 "));
    get_process_value(rt, "sh", shell("echo x; exit 7"))
      .add_callbacks([&](int code) { told.add("4 " + std::to_string(code)); }, tell("4 "));
    get_process_output_and_value(rt, "sh", shell("cat; echo err >&2; exit 9"), {.input = "in"})
      .add_callbacks(
        [&](const process_output& p) {
          told.add("5 " + p.output + p.errors + std::to_string(p.exit_code));
        },
        tell("5 "));
    get_process_output_and_value(rt, "sh", shell("echo out; kill -9 $$"))
      .add_callbacks([&](const process_output&) { told.add("6 no"); },
                     [&](const failure& f) {
                       CHECK(status_of(f) == process_status{.signal = SIGKILL});
                       try {
                         f.raise();
                       } catch (const process_terminated_error& e) {
                         told.add("6 " + e.output());
                       }
                     });
    get_process_output(rt, "yes", {}, {.max_output = 100'000})
      .add_callbacks(text("7 "), tell("7 "));
    get_process_output(rt, "/no/such").add_callbacks(text("8 "), tell("8 "));
    auto d = get_process_output(rt, "sleep", {"1000"});
    d.add_callbacks([&](std::string out) { return out; },
                    [&](const failure& f) -> outcome<std::string> {
                      tell("9 ")(f);
                      return std::string{};
                    });
    d.cancel();
  });
  REQUIRE(told.wait(9));
  CHECK(told.count("1 hello\n") == 1);
  CHECK(told.count("2 wrote errors bad\n") == 1);
  CHECK(told.count("3 bad\n") == 1);
  CHECK(told.count("4 7") == 1);
  CHECK(told.count("5 inerr\n9") == 1);
  CHECK(told.count("6 out\n") == 1);
  CHECK(told.count("7 too long output of a process") == 1);
  CHECK(told.count("8 spawn failed /no/such: No such file or directory") == 1);
  CHECK(told.count("9 cancelled ") == 1);
  CHECK(children_end()); // also the one that was cancelled
}
