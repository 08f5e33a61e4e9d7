// Programs as children of a supervisor: real ones, that end, do not end, and start others.

#include <troupe/net/process_child.hpp>

#include <csignal>
#include <filesystem>
#include <fstream>

#include <spdlog/logger.h>

#include "support/directory.hpp"
#include "support/programs_end.hpp"
#include "support/supervised.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// A supervisor of programs under the root; its decisions are events.
class kept {
public:
  kept(running& server, std::vector<child_spec> children,
       supervisor_options options = {.intensity = 1000, .backoff = {.initial = 1ms}}) {
    options.name = "programs";
    options.observer = [told = log](const supervisor_event& e) {
      told->add(std::string{name(e.kind)} + ":" + e.child
                + (e.reason ? ": " + e.reason.message() : std::string{}));
    };
    root_supervisor(server.rt)
      ->start_child(supervisor::as_child(options, std::move(children), restart_type::temporary))
      .add_both([told = up, actor = actor_](outcome<caf::actor> a) {
        if (a)
          *actor = *a;
        told->add(a ? "up" : "down: " + a.error().message());
      });
  }

  supervisor& get() const {
    return *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(*actor_));
  }

  /// Waits until something that begins so was told, and returns all of it.
  std::string wait_for(const std::string& begin) {
    for (std::size_t seen = 0;;) {
      for (const auto all = log->all(); seen < all.size(); ++seen)
        if (all[seen].starts_with(begin))
          return all[seen];
      if (!log->wait(seen + 1))
        return "nothing";
    }
  }

  // Shared with the supervisor, which may live longer.
  std::shared_ptr<events> up = std::make_shared<events>();
  std::shared_ptr<events> log = std::make_shared<events>();

private:
  std::shared_ptr<caf::actor> actor_ = std::make_shared<caf::actor>();
};

child_spec script(const std::string& text, process_child_options options = {}) {
  return process_child("p", "sh", {"-c", text}, std::move(options));
}

void terminate(running& server, const kept& k) {
  on_loop(server, [&] { return deferred<void>(k.get().terminate_child("p")); });
}

} // namespace

TEST_CASE("a program that is missing is a child that did not start", "[process_child]") {
  running server{2};
  kept k{server, {process_child("p", "/nonexistent/program")}};
  server.start();
  REQUIRE(k.up->wait(1));
  CHECK(k.up->all().front().starts_with("down: "));
  CHECK(k.up->all().front().find("/nonexistent/program") != std::string::npos);
}

TEST_CASE("a program that ends is started again, and told of with its exit code",
          "[process_child]") {
  running server{2};
  SECTION("exit code 3 is a crash") {
    kept k{server, {script("exit 3", {.restart = restart_type::transient})}};
    server.start();
    REQUIRE(k.up->wait(1));
    CHECK(k.wait_for("child_ended").find("exit code 3") != std::string::npos);
    CHECK(k.log->wait_for("child_started:p", 2));
    server.stop();
  }
  SECTION("exit code 0 is none") {
    kept k{server, {script("exit 0", {.restart = restart_type::transient})}};
    server.start();
    REQUIRE(k.up->wait(1));
    CHECK(k.wait_for("child_ended") != "nothing");
    server.stop();
    for (const auto& event : k.log->all())
      CHECK(!event.starts_with("child_restart"));
  }
}

TEST_CASE("a child that is terminated ends its program by SIGTERM, with all that it started",
          "[process_child]") {
  directory d;
  running server{2};
  const auto own = d / "own";
  const auto forked = d / "forked";
  kept k{server,
         {script("sleep 1000 & echo $! > " + forked + ".new; mv " + forked + ".new " + forked
                 + "; trap 'echo told > " + (d / "told") + "; exit 0' TERM; echo $$ > " + own
                 + "; wait")}};
  server.start();
  REQUIRE(k.up->wait(1));
  const auto program = pid_of(own);
  const auto other = pid_of(forked);
  CHECK(::getpgid(other) == program);
  CHECK(::getsid(program) == program);
  terminate(server, k);
  CHECK(gone(program));
  CHECK(gone(other));
  CHECK(line_of(d / "told") == "told");
}

TEST_CASE("a program that ignores SIGTERM is killed in time, with all that it started",
          "[process_child]") {
  directory d;
  running server{2};
  const auto own = d / "own";
  const auto forked = d / "forked";
  kept k{
    server,
    {script("trap '' TERM; sh -c 'echo $$ > " + forked + "; while :; do sleep 1; done' & echo $$ > "
              + own + "; while :; do sleep 1; done",
            {.kill_after = 50ms})}};
  server.start();
  REQUIRE(k.up->wait(1));
  const auto program = pid_of(own);
  const auto other = pid_of(forked);
  const auto begun = std::chrono::steady_clock::now();
  terminate(server, k);
  CHECK(std::chrono::steady_clock::now() - begun >= 50ms);
  CHECK(gone(program));
  CHECK(gone(other));
}

TEST_CASE("what a program leaves behind when it crashes is gone before the next one runs",
          "[process_child]") {
  directory d;
  running server{2};
  const auto forked = d / "forked";
  kept k{server,
         {script("[ -e " + forked + " ] && exec sleep 1000; sh -c 'trap \"\" HUP TERM; echo $$ > "
                 + forked + "; exec sleep 1000' & while [ ! -s " + forked
                 + " ]; do :; done; kill -9 $$")}};
  server.start();
  REQUIRE(k.up->wait(1));
  CHECK(k.wait_for("child_ended").find("signal 9") != std::string::npos);
  CHECK(gone(pid_of(forked)));
  CHECK(k.log->wait_for("child_started:p", 2));
}

TEST_CASE("no program outlives the runtime, nor one that ignores SIGTERM the grace time",
          "[process_child]") {
  directory d;
  pid_t polite = 0;
  pid_t stubborn = 0;
  {
    running server{2, 200ms};
    kept k{server,
           {process_child("q", "sh", {"-c", "echo $$ > " + (d / "polite") + "; exec sleep 1000"}),
            script("trap '' TERM; echo $$ > " + (d / "stubborn") + "; while :; do sleep 1; done")}};
    server.start();
    REQUIRE(k.up->wait(1));
    polite = pid_of(d / "polite");
    stubborn = pid_of(d / "stubborn");
    server.stop();
  }
  CHECK(gone(polite));
  CHECK(gone(stubborn));
}

TEST_CASE("a kept program reads nothing, and writes where we write", "[process_child]") {
  directory d;
  running server{1};
  kept k{server,
         {script("readlink /proc/self/fd/0 > " + (d / "in") + "; readlink /proc/self/fd/1 > "
                 + (d / "out") + "; exec sleep 1000")}};
  server.start();
  REQUIRE(k.up->wait(1));
  CHECK(line_of(d / "in") == "/dev/null");
}
