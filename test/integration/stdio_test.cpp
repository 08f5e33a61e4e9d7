// Protocols over the pipes of a process, and over standard input and output.

#include <troupe/net/open_stdio.hpp>

#include <csignal>
#include <cstdio>
#include <optional>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <troupe/net/connect_process.hpp>

#include "support/catch.hpp"
#include "support/echo.hpp"
#include "support/few_descriptors.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

class caller : public protocol {
public:
  struct actions {
    std::function<void(caller&)> on_made = {};
    std::function<void(caller&)> on_data = {};
  };
  caller(caf::actor_config& cfg, events& told, actions what)
    : protocol(cfg), told_(told), actions_(std::move(what)) {}
  void connection_made() override {
    if (actions_.on_made)
      actions_.on_made(*this);
  }
  void data_received(bytes_view data) override {
    received += data.size();
    if (got.size() < 1000)
      got += as_text(data);
    if (actions_.on_data)
      actions_.on_data(*this);
  }
  void connection_lost(const failure& why) override {
    if (const auto status = status_of(why))
      told_.add("status: " + status->to_string());
    told_.add("got " + std::to_string(received) + ": " + got.substr(0, 100));
    told_.add("lost: " + why.message());
  }
  std::string got;
  std::size_t received = 0;

private:
  events& told_;
  actions actions_;
};

/// Goes on when one direction has ended, and closes the other when it is told so.
class half_caller : public caller, public half_closeable {
public:
  half_caller(caf::actor_config& cfg, events& told) : caller(cfg, told, {}), told_(told) {}
  void read_connection_lost() override {
    told_.add("read lost");
    transport().write("the rest");
    transport().lose_write_connection();
  }
  void write_connection_lost() override { told_.add("write lost"); }

private:
  events& told_;
};

builder<protocol> calls(events& told, caller::actions what = {}) {
  return build<caller>(std::ref(told), std::move(what));
}

const std::string clean = "lost: the connection was closed cleanly";

struct pipe_ends {
  pipe_ends() { REQUIRE(::pipe2(fd, O_CLOEXEC) == 0); }
  int fd[2];
};

std::string read_all(int fd) {
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = ::read(fd, buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<std::size_t>(n));
  return all;
}

bool blocks(int fd) {
  return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

// Also those that have exited and were not waited for; takes none away.
bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool children_end() {
  const auto limit = std::chrono::steady_clock::now() + 10s;
  while (has_children() && std::chrono::steady_clock::now() < limit)
    std::this_thread::yield();
  return !has_children();
}

class leaves_nothing {
public:
  ~leaves_nothing() {
    CHECK_FALSE(has_children());
    CHECK(open_descriptors() == before_);
  }

private:
  std::size_t before_ = open_descriptors();
};

} // namespace

TEST_CASE("E09: a protocol talks to a process, and hears how it ended", "[stdio]") {
  const std::size_t loops = GENERATE(1, 4);
  leaves_nothing check;
  events told;
  events good;
  running r{loops};
  connect_process(r.rt,
                  calls(told, {.on_made =
                                 [](caller& c) {
                                   c.transport().write("hello");
                                   c.transport().lose_write_connection();
                                 }}),
                  "sh", {"-c", "cat; exit 7"});
  connect_process(r.rt, calls(good), "echo", {"bye"});
  r.start();
  REQUIRE(told.wait(3));
  CHECK(told.all()
        == std::vector<std::string>{"status: exit code 7", "got 5: hello",
                                    "lost: exit code 7: the process was terminated"});
  REQUIRE(good.wait(2));
  CHECK(good.all() == std::vector<std::string>{"got 4: bye\n", clean});
}

TEST_CASE("E09: a program that cannot be started ends the protocol", "[stdio]") {
  leaves_nothing check;
  events told;
  running r{1};
  auto p = connect_process(r.rt, calls(told), "/no/such/program");
  p->attach_functor([&](const caf::error& e) { told.add(failure{e}.message()); });
  p = nullptr;
  r.start();
  REQUIRE(told.wait(1));
  CHECK(told.all()
        == std::vector<std::string>{
          "/no/such/program: No such file or directory: the process could not be started"});
}

TEST_CASE("E09: a program that has read enough may go on writing", "[stdio]") {
  leaves_nothing check;
  events told;
  running r{1};
  connect_process(r.rt,
                  calls(told, {.on_data =
                                 [](caller& c) {
                                   c.transport().write(std::string(100'000, 'x'));
                                 }}),
                  "sh", {"-c", "exec 0<&-; echo a; sleep 0.1; echo b; sleep 0.1; echo c"});
  r.start();
  REQUIRE(told.wait(2));
  CHECK(told.all() == std::vector<std::string>{"got 6: a\nb\nc\n", clean});
}

TEST_CASE("E09: a program that closes its output meets the end of its input", "[stdio]") {
  const leaves_nothing check;
  events told;
  running r{1};
  r.start();
  // It gets what was written, and the end behind it: `cat` would wait for ever else.
  connect_process(r.rt,
                  calls(told, {.on_made =
                                 [](caller& c) {
                                   c.transport().write("seven B");
                                 }}),
                  "sh", {"-c", "printf out; exec 1>&-; test $(wc -c) = 7"});
  REQUIRE(told.wait_for(clean));
  CHECK(told.all() == std::vector<std::string>{"got 3: out", clean});
}

TEST_CASE("E09: a half-closeable protocol goes on when a program closes its output", "[stdio]") {
  const leaves_nothing check;
  events told;
  running r{1};
  r.start();
  connect_process(r.rt, build<half_caller>(std::ref(told)), "sh",
                  {"-c", "printf out; exec 1>&-; test $(wc -c) = 8"});
  REQUIRE(told.wait_for(clean));
  CHECK(told.all() == std::vector<std::string>{"read lost", "write lost", "got 3: out", clean});
}

TEST_CASE("E09: a half-closeable protocol hears the end of the output of a program that exited",
          "[stdio]") {
  const leaves_nothing check;
  class paused final : public protocol, public half_closeable {
  public:
    paused(caf::actor_config& cfg, events& told) : protocol(cfg), told_(told) {}
    void connection_made() override {
      transport().pause_producing();
      told_.add("made");
    }
    caf::behavior make_behavior() override {
      return {[this](caf::ok_atom) {
        transport().resume_producing();
      }};
    }
    void data_received(bytes_view data) override { told_.add(std::string{as_text(data)}); }
    void read_connection_lost() override { told_.add("read lost"); }
    void write_connection_lost() override {}
    void connection_lost(const failure& why) override { told_.add("lost: " + why.message()); }

  private:
    events& told_;
  };
  events told;
  running r{1};
  auto p = connect_process(r.rt, build<paused>(std::ref(told)), "echo", {"bye"});
  r.start();
  REQUIRE(told.wait(1));
  REQUIRE(children_end());
  caf::anon_send(p, caf::ok_atom::value);
  p = nullptr;
  REQUIRE(told.wait(4));
  CHECK(told.all() == std::vector<std::string>{"made", "bye\n", "read lost", clean});
}

TEST_CASE("E09: much goes through a process both ways; aborting kills it", "[stdio]") {
  leaves_nothing check;
  events told;
  events aborted;
  running r{2};
  const std::size_t total = load_size(20'000'000);
  connect_process(r.rt,
                  calls(told, {.on_made =
                                 [total](caller& c) {
                                   c.transport().set_output_limits({.hard = total + 1});
                                   c.transport().write(std::string(total, 'x'));
                                   c.transport().lose_write_connection();
                                 }}),
                  "cat");
  r.start();
  REQUIRE(told.wait(2));
  CHECK(told.all()[0].starts_with("got " + std::to_string(total)));
  CHECK(told.all()[1] == clean);
  connect_process(r.rt,
                  calls(aborted, {.on_data =
                                    [](caller& c) {
                                      c.transport().abort_connection();
                                    }}),
                  "sh", {"-c", "trap '' TERM HUP PIPE; echo x; exec sleep 1000"});
  REQUIRE(aborted.wait(2));
  CHECK(aborted.all()[1] == "lost: the connection was aborted");
  CHECK(children_end());
}

TEST_CASE("standard input and output may be pipes; theirs go on blocking", "[stdio]") {
  const std::size_t loops = GENERATE(1, 4);
  leaves_nothing check;
  pipe_ends in;
  pipe_ends out;
  {
    events told;
    running r{loops};
    open_stdio(r.rt,
               calls(told, {.on_data =
                              [&](caller& c) {
                                told.add(blocks(in.fd[0]) && blocks(out.fd[1]) ? "blocking"
                                                                               : "not blocking");
                                c.transport().write("<" + std::exchange(c.got, {}) + ">");
                              }}),
               {.input = in.fd[0], .output = out.fd[1]});
    r.start();
    REQUIRE(::write(in.fd[1], "hello", 5) == 5);
    char answer[7];
    for (std::size_t n = 0; n < sizeof answer;)
      n += static_cast<std::size_t>(std::max<ssize_t>(0, ::read(out.fd[0], answer + n, 7 - n)));
    CHECK(std::string(answer, 7) == "<hello>");
    ::close(in.fd[1]);
    REQUIRE(told.wait_for(clean));
    CHECK(told.all() == std::vector<std::string>{"blocking", "got 5: ", clean});
    CHECK(::write(out.fd[1], "still open", 10) == 10);
  }
  for (const int fd : {in.fd[0], out.fd[0], out.fd[1]})
    ::close(fd);
}

TEST_CASE("standard input may be a file, and standard output too", "[stdio]") {
  leaves_nothing check;
  std::FILE* const from = std::tmpfile();
  std::FILE* const to = std::tmpfile();
  const std::string text(1'000'000, 'f');
  REQUIRE(::write(::fileno(from), text.data(), text.size()) == 1'000'000);
  ::lseek(::fileno(from), 0, SEEK_SET);
  {
    events told;
    running r{1};
    open_stdio(r.rt,
               calls(told, {.on_data =
                              [](caller& c) {
                                c.transport().write(std::exchange(c.got, {}));
                              }}),
               {.input = ::fileno(from), .output = ::fileno(to)});
    r.start();
    REQUIRE(told.wait(2));
    CHECK(told.all()[0].starts_with("got 1000000"));
    CHECK(told.all()[1] == clean);
    CHECK(blocks(::fileno(from)));
  }
  CHECK(::lseek(::fileno(to), 0, SEEK_END) == 1'000'000);
  std::fclose(from);
  std::fclose(to);
}

TEST_CASE("standard input and output may be one socket, which blocks again at the end", "[stdio]") {
  leaves_nothing check;
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  {
    running r{1};
    auto p = open_stdio(r.rt, build<echo>(), {.input = pair[0], .output = pair[0]});
    events told;
    p->attach_functor([&](const caf::error&) { told.add("ended"); });
    p = nullptr;
    r.start();
    REQUIRE(::write(pair[1], "ping", 4) == 4);
    char answer[4];
    REQUIRE(::recv(pair[1], answer, 4, MSG_WAITALL) == 4);
    CHECK(std::string(answer, 4) == "ping");
    ::shutdown(pair[1], SHUT_WR);
    REQUIRE(told.wait(1));
    CHECK(blocks(pair[0]));
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

TEST_CASE("standard input may be a terminal", "[stdio]") {
  leaves_nothing check;
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  REQUIRE(::grantpt(master) == 0);
  REQUIRE(::unlockpt(master) == 0);
  const int slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  {
    events told;
    running r{1};
    open_stdio(r.rt,
               calls(told, {.on_data =
                              [](caller& c) {
                                if (c.got == "typed\n")
                                  c.transport().lose_connection();
                              }}),
               {.input = slave, .output = slave});
    r.start();
    REQUIRE(::write(master, "typed\n", 6) == 6);
    REQUIRE(told.wait(2));
    CHECK(told.all() == std::vector<std::string>{"got 6: typed\n", clean});
    CHECK(blocks(slave));
  }
  ::close(slave);
  ::close(master);
}

TEST_CASE("half of standard output can be closed, and its reader meets the end", "[stdio]") {
  leaves_nothing check;
  class half : public protocol, public half_closeable {
  public:
    half(caf::actor_config& cfg, events& told) : protocol(cfg), told_(told) {}
    void connection_made() override {
      transport().write("all");
      transport().lose_write_connection();
    }
    void read_connection_lost() override { told_.add("read lost"); }
    void write_connection_lost() override { told_.add("write lost"); }
    void connection_lost(const failure&) override { told_.add("lost"); }

  private:
    events& told_;
  };
  pipe_ends in;
  pipe_ends out;
  {
    events told;
    running r{1};
    open_stdio(r.rt, build<half>(std::ref(told)), {.input = in.fd[0], .output = out.fd[1]});
    r.start();
    CHECK(read_all(out.fd[0]) == "all");
    REQUIRE(told.wait(1));
    ::close(in.fd[1]);
    REQUIRE(told.wait(3));
    CHECK(told.all() == std::vector<std::string>{"write lost", "read lost", "lost"});
  }
  for (const int fd : {in.fd[0], out.fd[0], out.fd[1]})
    ::close(fd);
}

TEST_CASE("a reader that is gone ends the connection, without a signal", "[stdio]") {
  leaves_nothing check;
  pipe_ends in;
  pipe_ends out;
  ::close(out.fd[0]);
  {
    events told;
    running r{1};
    open_stdio(r.rt,
               calls(told, {.on_made =
                              [](caller& c) {
                                c.transport().write("x");
                              }}),
               {.input = in.fd[0], .output = out.fd[1]});
    r.start();
    REQUIRE(told.wait(2));
    CHECK(told.all()[1].find("Broken pipe") != std::string::npos);
    sigset_t pending;
    ::sigpending(&pending);
    CHECK(::sigismember(&pending, SIGPIPE) == 0);
  }
  for (const int fd : {in.fd[0], in.fd[1], out.fd[1]})
    ::close(fd);
}

TEST_CASE("standard input that cannot be taken ends the protocol with a text", "[stdio]") {
  leaves_nothing check;
  pipe_ends in;
  const auto refusal = [&](const stdio_options& options, bool starved) {
    events told;
    running r{1};
    auto p = open_stdio(r.rt, calls(told), options);
    p->attach_functor([&](const caf::error& e) { told.add(failure{e}.message()); });
    p = nullptr;
    std::optional<few_descriptors> few;
    if (starved)
      few.emplace();
    r.start();
    const bool ended = told.wait(1);
    few.reset();
    REQUIRE(ended);
    return told.all()[0];
  };
  CHECK_THAT(refusal({.input = 9999}, false), Catch::StartsWith("standard input is closed"));
  CHECK_THAT(refusal({.input = in.fd[0], .output = in.fd[1]}, true),
             Catch::StartsWith("standard input: Too many open files"));
  CHECK(blocks(in.fd[0]));
  for (const int fd : in.fd)
    ::close(fd);
}

TEST_CASE("stopping the runtime ends connections to processes and to the user", "[stdio]") {
  const std::size_t loops = GENERATE(1, 4);
  leaves_nothing check;
  pipe_ends in;
  pipe_ends out;
  {
    events told;
    events made;
    running r{loops};
    const auto tell = [&made](caller&) {
      made.add("made");
    };
    open_stdio(r.rt, calls(told, {.on_made = tell}), {.input = in.fd[0], .output = out.fd[1]});
    connect_process(r.rt, calls(told, {.on_made = tell}), "cat");
    r.start();
    REQUIRE(made.wait(2));
    r.stop();
    CHECK(told.count("lost: the runtime is stopping") == 2);
  }
  // `cat` ends by itself; who starts the next process, or ends a runtime, waits for it.
  for (int i = 0; i < 1000 && has_children(); ++i) {
    events told;
    running r{1};
    connect_process(r.rt, calls(told), "true");
    r.start();
    REQUIRE(told.wait(2));
  }
  for (const int fd : {in.fd[0], in.fd[1], out.fd[0], out.fd[1]})
    ::close(fd);
}
