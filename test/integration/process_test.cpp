// Child processes.

#include <troupe/net/spawn_process.hpp>

#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spdlog/logger.h>
#include <troupe/net/get_process_output.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

/// Tells what happens; what it does about it is up to the test.
class reporter : public process_protocol {
public:
  using action = std::function<void(reporter&)>;
  struct actions {
    action on_made = {};
    action on_out = {};
    action on_exited = {};
    action on_ended = {};
  };

  reporter(caf::actor_config& cfg, events& told, actions what)
    : process_protocol(cfg), told_(told), actions_(std::move(what)) {}

  void connection_made() override {
    told_.add("made");
    call(actions_.on_made);
  }
  void child_data_received(int fd, bytes_view data) override {
    if (fd > 2)
      other += as_text(data);
    process_protocol::child_data_received(fd, data);
  }
  void out_received(bytes_view data) override {
    received += data.size();
    if (out.size() < 1'000'000)
      out += as_text(data);
    call(actions_.on_out);
  }
  void err_received(bytes_view data) override { err += as_text(data); }
  void child_connection_lost(int fd) override { told_.add("closed " + std::to_string(fd)); }
  void process_exited(const failure& why) override {
    told_.add("exited: " + why.message());
    call(actions_.on_exited);
  }
  void process_ended(const failure& why) override {
    reason = why;
    if (!out.empty() && out.size() < 2000)
      told_.add("out: " + out);
    if (!err.empty())
      told_.add("err: " + err);
    if (!other.empty())
      told_.add("other: " + other);
    told_.add("ended: " + why.message());
    call(actions_.on_ended);
  }

  std::string out;
  std::string err;
  std::string other;
  std::size_t received = 0;
  failure reason;

private:
  void call(const action& a) {
    if (a)
      a(*this);
  }

  events& told_;
  actions actions_;
};

builder<process_protocol> reports(events& told, reporter::actions what = {}) {
  return build<reporter>(std::ref(told), std::move(what));
}

std::vector<std::string> shell(const std::string& script) {
  return {"-c", script};
}

const std::string done = "the process exited with status 0";

// Counts those that have exited and were not waited for; takes none away.
bool has_no_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

bool children_end() {
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (!has_no_children() && std::chrono::steady_clock::now() < limit)
    std::this_thread::yield();
  return has_no_children();
}

/// Waits until `text` has been told; false after twenty seconds without.
bool wait_for(events& told, const std::string& text) {
  for (std::size_t n = 1; n < 100; ++n) {
    if (told.count(text) > 0)
      return true;
    if (!told.wait(n))
      return false;
  }
  return told.count(text) > 0;
}

/// Checks that nothing is left of what a test did.
class leaves_nothing {
public:
  ~leaves_nothing() {
    CHECK(has_no_children());
    CHECK(open_descriptors() == before_);
  }

private:
  std::size_t before_ = open_descriptors();
};

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
  spawn_process(r.rt, reports(told), "sh",
                shell("echo here is some text; exec 0<&- 1>&- 2>&-; sleep 0.2; exit 3"));
  r.start();
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
  events told;
  running r{1};
  const auto child = spawn_process(r.rt, reports(told), "sh",
                                   shell("exec 0<&- 2>&-; (sleep 0.3; echo late) & exit 0"));
  r.start();
  REQUIRE(wait_for(told, "exited: " + done));
  CHECK(told.count("ended: " + done) == 0);
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(told.count("out: late\n") == 1);
}

TEST_CASE("X05: lose_connection does not wait for a grandchild", "[process]") {
  leaves_nothing check;
  events told;
  running r{1};
  spawn_process(r.rt,
                reports(told, {.on_exited =
                                 [](reporter& p) {
                                   p.transport().lose_connection();
                                 }}),
                "sh", shell("sleep 3 & exit 0"));
  const auto begun = std::chrono::steady_clock::now();
  r.start();
  REQUIRE(wait_for(told, "ended: " + done));
  CHECK(std::chrono::steady_clock::now() - begun < 2s);
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
                                     CHECK(status_of(p.reason) == process_status{.exit_code = 23});
                                     CHECK(p.other == "to three " + std::to_string(i));
                                     CHECK(p.out == "0\n1\n2\n3\n7\n");
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
        == "ended: true: descriptor -1: Bad file descriptor" + end);
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
                     [](reporter&) {
                       FAIL("closed");
                     }}),
    "sh", shell("trap '' PIPE; head -c 1 > /dev/null; echo nobody hears 2>/dev/null; exit 5"));
  REQUIRE(wait_for(told, "ended: exit code 5: the process was terminated"));
  for (const auto* fd : {"closed 0", "closed 1", "closed 2"})
    CHECK(told.count(fd) == 1);
}

TEST_CASE("X11: exceptions in callbacks are logged, and the process is reaped", "[process]") {
  leaves_nothing check;
  events told;
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
  events alive;
  spawn_process(r.rt, reports(alive), "true");
  REQUIRE(wait_for(alive, "ended: " + done));
  CHECK(children_end()); // those of the first two exit by themselves
  r.stop();
  r.rt.logger().set_level(spdlog::level::info);
}

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
  events flood;
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
