// Child processes: what they are started with, and what is told of them.

#include <csignal>
#include <fstream>
#include <limits>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spdlog/logger.h>

#include "support/directory.hpp"
#include "support/process_reporter.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Returns commands of a shell that end when `test` does without an error, or after a minute.
std::string until(const std::string& test) {
  return "n=1200; while [ $n -gt 0 ] && ! " + test + "; do n=$((n-1)); sleep 0.05; done";
}

} // namespace

TEST_CASE("X01: a process echoes what it is sent, exits, and then is ended", "[process]") {
  const std::size_t loops = GENERATE(1, 4);
  leaves_nothing check;
  events told;
  running r{loops};
  spawn_process(r.rt,
                reports(told, {.on_made =
                                 [](reporter& p) {
                                   CHECK(p.transport().pid() > 0);
                                   p.transport().write("abc");
                                   p.transport().close_stdin();
                                   p.transport().write("def"); // X10: in the same turn
                                 }}),
                "cat");
  CHECK(told.all().empty()); // waits for run()
  r.start();
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(told.count("out: abcdef") == 1);
  CHECK(told.count("closed 0") == 1);
  CHECK(told.count("closed 1") == 1);
  CHECK(told.count("closed 2") == 1);
  CHECK(told.count("exited: " + done) == 1);
  CHECK(told.all().front() == "made");
  CHECK(told.all().back() == "ended: " + done);
}

TEST_CASE("X02: an exit code, and a signal, are told", "[process]") {
  leaves_nothing check;
  running r{2};
  r.start();
  {
    events told;
    std::optional<process_status> status;
    spawn_process(r.rt,
                  reports(told, {.on_ended =
                                   [&](reporter& p) {
                                     status = status_of(p.reason);
                                     told.add("over");
                                   }}),
                  "sh", shell("exit 23"));
    REQUIRE(wait_for(told, "over"));
    CHECK(status == process_status{.exit_code = 23});
    CHECK(told.count("ended: exit code 23: the process was terminated") == 1);
  }
  for (const auto& [name, number] : {std::pair{"HUP", SIGHUP}, std::pair{"INT", SIGINT},
                                     std::pair{"KILL", SIGKILL}, std::pair{"TERM", SIGTERM}}) {
    events told;
    std::optional<process_status> status;
    spawn_process(
      r.rt,
      reports(told, {.on_made = [name = name](
                                  reporter& p) { CHECK_FALSE(p.transport().signal_process(name)); },
                     .on_ended =
                       [&](reporter& p) {
                         status = status_of(p.reason);
                         CHECK(p.reason.check(errc::process_terminated));
                         told.add("over");
                       }}),
      "sleep", {"100"});
    REQUIRE(wait_for(told, "over"));
    CHECK(status == process_status{.signal = number});
  }
}

TEST_CASE("X03: a signal after the exit is refused, and there is no pid", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  spawn_process(
    r.rt,
    reports(told, {.on_made =
                     [](reporter& p) {
                       CHECK(
                         p.transport().signal_process("NONSENSE").check(errc::invalid_argument));
                     },
                   .on_ended =
                     [&](reporter& p) {
                       auto& t = p.transport();
                       CHECK(t.signal_process(SIGTERM).check(errc::process_exited_already));
                       CHECK(t.signal_process("HUP").check(errc::process_exited_already));
                       CHECK_FALSE(t.pid());
                       CHECK_NOTHROW(t.write("nobody"));
                       CHECK_NOTHROW(t.lose_connection());
                       CHECK_THROWS_AS(t.write_to_child(7, "x"), std::logic_error);
                       told.add("over");
                     }}),
    "true");
  r.start();
  REQUIRE(wait_for(told, "over"));
}

TEST_CASE("X05: a child that closes its pipes and lingers is ended when it exits", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  const auto child = spawn_process(
    r.rt, reports(told), "sh",
    shell("trap 'exit 3' USR1; echo here is some text; exec 0<&- 1>&- 2>&-; " + until("false")));
  r.start();
  for (const auto* const what : {"closed 0", "closed 1", "closed 2"})
    REQUIRE(wait_for(told, what));
  child.signal_process(SIGUSR1);
  REQUIRE(wait_for(told, "ended: exit code 3: the process was terminated"));
  const auto all = told.all();
  const auto exited =
    std::find(all.begin(), all.end(), "exited: exit code 3: the process was terminated");
  CHECK(std::find(all.begin(), exited, "closed 0") != exited);
  CHECK(std::find(all.begin(), exited, "closed 1") != exited);
  CHECK(std::find(all.begin(), exited, "closed 2") != exited);
  CHECK(told.count("out: here is some text\n") == 1);
}

TEST_CASE("X05: a grandchild that holds standard output delays the end, not the exit",
          "[process]") {
  leaves_nothing check;
  const directory folder;
  const auto now = folder / "now";
  events told;
  running r{1};
  spawn_process(r.rt, reports(told), "sh",
                shell("exec 0<&- 2>&-; (" + until("test -e " + now) + "; echo late) & exit 0"));
  r.start();
  REQUIRE(wait_for(told, "exited: " + done));
  CHECK(told.count("ended: " + done) == 0);
  std::ofstream{now}.put('\n');
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(told.count("out: late\n") == 1);
}

TEST_CASE("X05: lose_connection does not wait for a grandchild", "[process]") {
  leaves_nothing check;
  const directory folder;
  events told;
  running r{1};
  spawn_process(r.rt,
                reports(told, {.on_exited =
                                 [](reporter& p) {
                                   p.transport().lose_connection();
                                 }}),
                "sh", shell("(" + until("test ! -e " + folder.path) + ") & exit 0"));
  r.start();
  REQUIRE(wait_for(told, "ended: " + done)); // it lives while the folder is there
}

TEST_CASE("X06: 25 processes at once, on any map of descriptors, with no other one open",
          "[process]") {
  const std::size_t loops = GENERATE(1, 4);
  leaves_nothing check;
  events told;
  running r{loops};
  const int not_for_them = ::open("/dev/null", O_RDONLY); // survives an exec unless it is closed
  for (int i = 0; i < 25; ++i)
    spawn_process(r.rt,
                  reports(told, {.on_made =
                                   [i](reporter& p) {
                                     p.transport().write_to_child(3,
                                                                  "to three " + std::to_string(i));
                                     p.transport().close_child_fd(3);
                                   },
                                 .on_ended =
                                   [i, &told](reporter& p) {
                                     if (status_of(p.reason) == process_status{.exit_code = 23}
                                         && p.other == "to three " + std::to_string(i)
                                         && p.out == "0\n1\n2\n3\n7\n")
                                       told.add("as it should be");
                                     told.add("over");
                                   }}),
                  "sh",
                  shell("for f in 0 1 2 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$f ] && echo $f; done; "
                        "cat <&3 >&7; exit 23"),
                  {.child_fds = {{0, child_fd::we_write()},
                                 {1, child_fd::we_read()},
                                 {2, child_fd::ours(2)},
                                 {3, child_fd::we_write()},
                                 {7, child_fd::we_read()}}});
  r.start();
  for (std::size_t n = 25; told.count("over") < 25; ++n)
    REQUIRE(told.wait(n));
  CHECK(told.count("as it should be") == 25);
  ::close(not_for_them);
  r.stop();
}

TEST_CASE("X07: a program that cannot be started is a failure that says why", "[process]") {
  leaves_nothing check;
  running r{2};
  r.start();
  const auto reason_of = [&](const std::string& executable, process_options options = {},
                             std::vector<std::string> args = {}) {
    events told;
    spawn_process(r.rt, reports(told), executable, std::move(args), std::move(options));
    REQUIRE(told.wait(1));
    CHECK(told.all().size() == 1); // and nothing else
    return told.all()[0];
  };
  const std::string end = ": the process could not be started";
  CHECK(reason_of("/no/such/program")
        == "ended: /no/such/program: No such file or directory" + end);
  CHECK(reason_of("no-such-program") == "ended: no-such-program: No such file or directory" + end);
  CHECK(reason_of("/etc/passwd") == "ended: /etc/passwd: Permission denied" + end);
  CHECK(reason_of("/tmp") == "ended: /tmp: Permission denied" + end);
  CHECK(reason_of("") == "ended: : No such file or directory" + end);
  CHECK(reason_of("true", {.directory = "/no/such"})
        == "ended: true: directory /no/such: No such file or directory" + end);
  CHECK(reason_of("true", {.child_fds = {{1, child_fd::ours(9999)}}})
        == "ended: true: descriptor 1: Bad file descriptor" + end);
  CHECK(reason_of("true", {}, {std::string("a\0b", 3)})
        == "ended: true: a text for it contains a NUL" + end);
  CHECK(reason_of("true", {.env = environment{}, .child_fds = {{-1, child_fd::we_read()}}})
        == "ended: true: descriptor -1: out of range" + end);
}

TEST_CASE("X07: a descriptor that no process can have is a failure that says so", "[process]") {
  leaves_nothing check;
  running r{1};
  r.start();
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit limit{.rlim_cur = std::min<rlim_t>(before.rlim_cur, 1024),
                     .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  constexpr int most = std::numeric_limits<int>::max();
  const auto run_with = [&](int fd, const std::string& end) {
    events told;
    spawn_process(r.rt, reports(told), "true", {},
                  {.child_fds = {{fd, child_fd::we_read()}, {0, child_fd::we_write()}}});
    CAPTURE(fd);
    CHECK(wait_for(told, "ended: " + end));
  };
  const auto end = static_cast<int>(limit.rlim_cur) - 2;
  run_with(end - 1, done);
  for (const int fd : {end, end + 1, end + 2, most - 1, most})
    run_with(fd, "true: descriptor " + std::to_string(fd)
                   + ": out of range: the process could not be started");
  CHECK(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("X02: an exit code is told in a program that was started with SIGCHLD ignored",
          "[process]") {
  leaves_nothing check;
  struct sigaction before {};
  struct sigaction ignored {};
  SECTION("ignored") {
    ignored.sa_handler = SIG_IGN;
  }
  SECTION("not waited for") {
    ignored.sa_flags = SA_NOCLDWAIT;
  }
  SECTION("handled, and not waited for") {
    ignored.sa_handler = [](int) {
    };
    ignored.sa_flags = SA_NOCLDWAIT | SA_RESTART;
  }
  REQUIRE(::sigaction(SIGCHLD, &ignored, &before) == 0);
  events told;
  running r{1};
  spawn_process(r.rt, reports(told), "sh", shell("exit 23"));
  r.start();
  const bool ended = told.wait_for("ended: exit code 23: the process was terminated");
  struct sigaction left {};
  REQUIRE(::sigaction(SIGCHLD, &before, &left) == 0);
  CHECK(ended);
  CHECK(left.sa_handler == (ignored.sa_handler == SIG_IGN ? SIG_DFL : ignored.sa_handler));
}

TEST_CASE("X09: the environment is what is given, or this one", "[process]") {
  leaves_nothing check;
  running r{1};
  r.start();
  const auto out_of = [&](process_options options) {
    events told;
    std::string out;
    spawn_process(r.rt,
                  reports(told, {.on_ended =
                                   [&](reporter& p) {
                                     out = p.out;
                                     told.add("over");
                                   }}),
                  "/usr/bin/env", {}, std::move(options));
    REQUIRE(wait_for(told, "over"));
    return out;
  };
  ::setenv("TROUPE_TEST", "inherited", 1);
  CHECK(out_of({.env = environment{}}) == "");
  CHECK(out_of({.env = environment{{"A", "1"}, {"B", "two words"}}}) == "A=1\nB=two words\n");
  CHECK(out_of({}).find("TROUPE_TEST=inherited\n") != std::string::npos);
}

TEST_CASE("a process starts where it is told, under the name it is told", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  r.start();
  spawn_process(r.rt, reports(told), "sh", {"-c", "pwd; echo $0"},
                {.directory = "/usr", .argv0 = "somebody"});
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(told.count("out: /usr\nsomebody\n") == 1);
}

TEST_CASE("a process runs as another user", "[process]") {
  if (::geteuid() != 0)
    return;
  leaves_nothing check;
  events told;
  running r{1};
  r.start();
  spawn_process(r.rt, reports(told), "sh", {"-c", "id -u; id -g; id -G"},
                {.uid = 12345, .gid = 12346});
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(told.count("out: 12345\n12346\n12346\n") == 1);
}

TEST_CASE("a process has a terminal of its own", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  r.start();
  spawn_process(r.rt,
                reports(told, {.on_made =
                                 [](reporter& p) {
                                   p.transport().write("word\n");
                                 }}),
                "sh", shell("read x; test -t 0 && test -t 2 && test -w /dev/tty && echo got $x"),
                {.use_pty = true});
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(told.count("out: word\r\ngot word\r\n") == 1); // with its echo
}

TEST_CASE("X10: each pipe closes on its own, and is told once", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  r.start();
  spawn_process(
    r.rt,
    reports(told, {.on_made =
                     [](reporter& p) {
                       p.transport().close_stderr();
                       p.transport().close_stderr();
                       p.transport().close_stdout();
                       p.transport().write("x");
                     },
                   .on_out =
                     [&told](reporter&) {
                       told.add("output, though closed");
                     }}),
    "sh", shell("trap '' PIPE; head -c 1 > /dev/null; echo nobody hears 2>/dev/null; exit 5"));
  REQUIRE(wait_for(told, "ended: exit code 5: the process was terminated"));
  for (const auto* fd : {"closed 0", "closed 1", "closed 2"})
    CHECK(told.count(fd) == 1);
  CHECK(told.count("output, though closed") == 0);
}

TEST_CASE("X11: exceptions in callbacks are logged, and the process is reaped", "[process]") {
  leaves_nothing check;
  events told;
  events alive;
  running r{1};
  r.rt.logger().set_level(spdlog::level::off);
  const auto fail = [](reporter&) {
    throw std::runtime_error("no");
  };
  spawn_process(r.rt, reports(told, {.on_made = fail}), "cat");
  spawn_process(r.rt, reports(told, {.on_out = fail}), "echo", {"x"});
  spawn_process(r.rt, reports(told, {.on_exited = fail}), "true");
  spawn_process(r.rt, reports(told, {.on_ended = fail}), "true");
  r.start();
  for (std::size_t n = 1; told.count("ended: no") < 2 || told.count("ended: " + done) < 2; ++n)
    REQUIRE(told.wait(n));
  spawn_process(r.rt, reports(alive), "true");
  REQUIRE(wait_for(alive, "ended: " + done));
  CHECK(children_end()); // those of the first two exit by themselves
  r.stop();
  r.rt.logger().set_level(spdlog::level::info);
}

TEST_CASE("a process that ends while it is paused is told of when its protocol goes on",
          "[process]") {
  const bool resumes = GENERATE(true, false); // else only the end of the runtime is left
  leaves_nothing check;
  events told;
  running r{1};
  spawn_process(r.rt,
                reports(told, {.on_made = [](reporter& p) { p.transport().pause_producing(); },
                               .on_exited =
                                 [resumes](reporter& p) {
                                   if (resumes)
                                     p.call_later(1ms, [&p] { p.transport().resume_producing(); });
                                 }}),
                "echo", {"hello"});
  r.start();
  if (resumes)
    REQUIRE(wait_for(told, "ended: " + done));
  else
    REQUIRE(wait_for(told, "exited: " + done));
  r.stop();
  CHECK(told.count("out: hello\n") == (resumes ? 1 : 0));
  CHECK(told.count("exited: " + done) == 1);
  CHECK(told.all().back() == "ended: " + done);
}
