// Child processes that write much, do not read, will not end, or are very many.

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process_reporter.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("X14: there is no SIGCHLD handler, and other children are nobody's concern",
          "[process]") {
  events told;
  running r{1};
  r.start();
  const pid_t other = ::fork();
  if (other == 0)
    ::_exit(42);
  spawn_process(r.rt, reports(told), "true");
  REQUIRE(wait_for(told, "ended: " + done));
  struct sigaction now {};
  ::sigaction(SIGCHLD, nullptr, &now);
  CHECK(now.sa_handler == SIG_DFL);
  int status = 0;
  REQUIRE(::waitpid(other, &status, 0) == other);
  CHECK(WEXITSTATUS(status) == 42);
}

TEST_CASE("a child that writes a lot to one who does not read waits", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  const std::size_t total = load_size(100'000'000);
  spawn_process(r.rt,
                reports(told, {.on_made =
                                 [](reporter& p) {
                                   p.transport().pause_producing();
                                   p.call_later(50ms, [&p] {
                                     CHECK(p.received == 0);
                                     p.transport().resume_producing();
                                   });
                                 },
                               .on_ended =
                                 [&](reporter& p) {
                                   CHECK(p.received == total);
                                   told.add("over");
                                 }}),
                "head", {"-c", std::to_string(total), "/dev/zero"});
  r.start();
  REQUIRE(wait_for(told, "over"));
}

TEST_CASE("a child that does not read is written to within limits", "[process]") {
  leaves_nothing check;
  events told;
  events flood;
  running r{1};
  struct endless final : producer {
    explicit endless(process_transport& t) : to(t) {}
    void resume_producing() override {
      paused = false;
      while (!paused)
        to.write(std::string(10'000, 'x'));
      most = std::max(most, to.unsent());
    }
    void pause_producing() override { paused = true; }
    void stop_producing() override { stopped = true; }
    process_transport& to;
    bool paused = false;
    bool stopped = false;
    std::size_t most = 0;
  };
  std::unique_ptr<endless> source;
  spawn_process(r.rt,
                reports(told, {.on_made =
                                 [&](reporter& p) {
                                   source = std::make_unique<endless>(p.transport());
                                   p.transport().register_producer(*source, true);
                                   source->resume_producing();
                                 },
                               .on_ended =
                                 [&](reporter&) {
                                   CHECK(source->stopped);
                                   CHECK(source->most < 100'000);
                                   told.add("over");
                                 }}),
                "sh", shell("sleep 0.1; head -c 1000000 >/dev/null; exit 0"));
  spawn_process(r.rt,
                reports(flood, {.on_made =
                                  [](reporter& p) {
                                    for (int i = 0; i < 1000; ++i)
                                      p.transport().write(std::string(100'000, 'x'));
                                    CHECK(p.transport().unsent() < 17'000'000);
                                  }}),
                "sleep", {"0.1"});
  r.start();
  REQUIRE(wait_for(told, "over"));
  REQUIRE(wait_for(flood, "ended: " + done));
}

TEST_CASE("a child that ignores SIGTERM is killed", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  spawn_process(r.rt,
                reports(told, {.on_out =
                                 [](reporter& p) {
                                   p.transport().signal_process("TERM");
                                   p.transport().signal_process("KILL");
                                 }}),
                "sh", shell("trap '' TERM; echo ready; exec sleep 100"));
  r.start();
  REQUIRE(wait_for(told, "ended: signal 9 (Killed): the process was terminated"));
}

TEST_CASE("a child that is killed while it writes is ended, and its last output is told",
          "[process]") {
  leaves_nothing check;
  events told;
  running r{2};
  spawn_process(r.rt,
                reports(told, {.on_out =
                                 [](reporter& p) {
                                   if (p.received > 1'000'000)
                                     p.transport().signal_process(SIGKILL);
                                 }}),
                "yes");
  r.start();
  REQUIRE(wait_for(told, "ended: signal 9 (Killed): the process was terminated"));
  CHECK(told.count("closed 1") == 1);
}

TEST_CASE("stopping the runtime closes the pipes and does not wait for children", "[process]") {
  const std::size_t loops = GENERATE(1, 4);
  const auto before = open_descriptors();
  std::vector<pid_t> pids;
  std::mutex mutex;
  {
    events told;
    running r{loops};
    for (int i = 0; i < 3; ++i)
      spawn_process(r.rt,
                    reports(told, {.on_made =
                                     [&](reporter& p) {
                                       const std::lock_guard hold{mutex};
                                       pids.push_back(*p.transport().pid());
                                       told.add("pid");
                                     }}),
                    "sleep", {"100"});
    spawn_process(r.rt,
                  reports(told, {.on_made =
                                   [](reporter& p) {
                                     p.transport().write(std::string(1'000'000, 'x'));
                                   }}),
                  "sh", shell("test $(wc -c) = 1000000"));
    r.start();
    for (std::size_t n = 1; told.count("made") < 4 || told.count("pid") < 3; ++n)
      REQUIRE(told.wait(n));
    const auto begun = std::chrono::steady_clock::now();
    r.stop();
    CHECK(std::chrono::steady_clock::now() - begun < 3s);
    CHECK(told.count("ended: the runtime is stopping") + told.count("ended: " + done) == 4);
  }
  for (const pid_t pid : pids)
    ::kill(pid, SIGKILL);
  // The next process that is started takes along those of a runtime that is gone.
  for (int i = 0; i < 1000 && !has_no_children(); ++i) {
    events told;
    running r{1};
    spawn_process(r.rt, reports(told), "true");
    r.start();
    REQUIRE(wait_for(told, "ended: " + done));
  }
  CHECK(has_no_children());
  CHECK(open_descriptors() == before);
}

TEST_CASE("a process can be signalled from any thread", "[process]") {
  leaves_nothing check;
  events told;
  running r{4};
  r.start();
  std::vector<child_process> children;
  for (int i = 0; i < 8; ++i)
    children.push_back(spawn_process(r.rt, reports(told), "sleep", {"100"}));
  for (const auto& c : children)
    c.signal_process(SIGKILL);
  for (const auto& c : children)
    c.signal_process(SIGKILL); // too late for some
  const std::string killed = "ended: signal 9 (Killed): the process was terminated";
  for (std::size_t n = 8; told.count(killed) < 8; ++n)
    REQUIRE(told.wait(n));
  children.clear();
}

TEST_CASE("a thousand processes, one after the other, leave nothing behind", "[process]") {
  const auto count = load_size(1000);
  leaves_nothing check;
  events told;
  running r{2};
  r.start();
  for (std::size_t i = 0; i < count; i += 20) {
    events some;
    for (int k = 0; k < 20; ++k)
      spawn_process(r.rt, reports(some), k % 2 == 0 ? "true" : "/no/such");
    REQUIRE(some.wait_for("ended: " + done, 10));
    REQUIRE(some.wait(10 * 7));
  }
}
