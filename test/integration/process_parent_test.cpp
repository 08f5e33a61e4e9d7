// Programs that end with whoever started them, however that comes.

#include <csignal>

#include "support/directory.hpp"
#include "support/other_process.hpp"
#include "support/process_reporter.hpp"
#include "support/programs_end.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

// Starts a program on each of two loops, in a process of its own; they write who they are.
void start_two(runtime& rt, events& told, const std::string& where, int parent_death_signal) {
  process_options how{.child_fds = {}};
  how.parent_death_signal = parent_death_signal;
  for (const auto* name : {"a", "b"})
    spawn_process(rt, reports(told), "sh",
                  {"-c", std::string{"echo $$ > "} + where + '/' + name + "; exec sleep 1000"},
                  how);
}

// The other process, which is killed: it is told where, and by which signal.
class parent_of_two {
public:
  explicit parent_of_two(int parent_death_signal) {
    far_.tell(d_.path);
    far_.tell(std::to_string(parent_death_signal));
    a = pid_of(d_ / "a");
    b = pid_of(d_ / "b");
  }
  void kill() { far_.kill(); }

  pid_t a = 0;
  pid_t b = 0;

private:
  directory d_;
  other_process far_{"[.starts_two]"};
};

} // namespace

TEST_CASE("starts two programs", "[.starts_two]") {
  const auto* const first = the_first_process();
  if (first == nullptr)
    return;
  const auto where = first->hear();
  events told;
  running r{2};
  start_two(r.rt, told, where, std::stoi(first->hear()));
  r.start();
  (void)first->hear(); // it is killed before anything comes
}

TEST_CASE("programs that shall not outlive who started them are killed with it", "[process]") {
  parent_of_two parent{SIGKILL};
  CHECK(parent.a != parent.b);
  CHECK(::kill(parent.a, 0) == 0);
  CHECK(::kill(parent.b, 0) == 0);
  parent.kill();
  CHECK(gone(parent.a));
  CHECK(gone(parent.b));
}

TEST_CASE("all others go on", "[process]") {
  parent_of_two parent{0};
  parent.kill();
  for (const auto program : {parent.a, parent.b}) {
    CHECK(::kill(program, SIGTERM) == 0);
    CHECK(gone(program));
  }
}

TEST_CASE("the end of a runtime is the end of the threads that started such programs",
          "[process]") {
  directory d;
  events told;
  {
    running r{2};
    start_two(r.rt, told, d.path, SIGTERM);
    r.start();
    CHECK(pid_of(d / "a") != pid_of(d / "b"));
  }
  CHECK(gone(pid_of(d / "a")));
  CHECK(gone(pid_of(d / "b")));
}

TEST_CASE("what is no signal is told", "[process]") {
  events told;
  running r{1};
  r.start();
  process_options how;
  how.parent_death_signal = 1000;
  spawn_process(r.rt, reports(told), "true", {}, how);
  REQUIRE(told.wait(1));
  CHECK(told.all().front()
        == "ended: true: parent_death_signal: Invalid argument: the process could not be started");
}
