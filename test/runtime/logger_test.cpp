#include <troupe/runtime/logger.hpp>

#include <array>
#include <cstdlib>

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/spdlog.h>

#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/manual_clock.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_clock;

namespace {

struct plain_fd {
  explicit plain_fd(int n = -1) : fd(n) {}
  ~plain_fd() { reset(); }
  plain_fd(const plain_fd&) = delete;
  plain_fd& operator=(const plain_fd&) = delete;
  void reset() {
    if (fd >= 0)
      ::close(fd);
    fd = -1;
  }
  int fd;
};

/// A pipe that holds 4 KiB, of which a test reads when it likes.
struct log_pipe {
  log_pipe() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reader.fd = ends[0];
    writer.fd = ends[1];
    ::fcntl(writer.fd, F_SETPIPE_SZ, 4096);
    ::fcntl(reader.fd, F_SETFL, O_NONBLOCK);
  }

  // What there is to be read now.
  [[nodiscard]] std::string read() const {
    std::string all;
    std::array<char, 4096> part{};
    for (ssize_t n = 0; (n = ::read(reader.fd, part.data(), part.size())) > 0;)
      all.append(part.data(), static_cast<std::size_t>(n));
    return all;
  }

  [[nodiscard]] std::shared_ptr<spdlog::logger> logger(log_options options = {}) {
    options.descriptor = writer.fd;
    options.time_source = &time;
    auto made = make_logger("server", options);
    made->set_pattern("[%n] [%l] %v");
    return made;
  }

  plain_fd reader;
  plain_fd writer;
  manual_clock time;
};

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (auto i = text.find(what); i != std::string::npos; i = text.find(what, i + 1))
    ++n;
  return n;
}

} // namespace

TEST_CASE("a line of the log is written at once, with the name of the logger", "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger();
  log->info("hello {}", 1);
  CHECK(pipe.read() == "[server] [info] hello 1\n");
}

TEST_CASE("a reader of the log that stands still holds up nobody, and is told what it missed",
          "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger({.buffer = 8192});
  for (int i = 0; i < 500; ++i)
    log->warn("{:0>80}", i);
  std::string got;
  for (std::string part; !(part = pipe.read()).empty(); got += part)
    log->flush();
  const auto lines = count(got, "\n");
  CHECK(lines > 100);
  CHECK(lines < 500);
  CHECK(count(got, "[server] [warning] 000") == lines); // whole ones, and those that came first
  CHECK(got.find(std::to_string(lines - 1) + "\n") != std::string::npos);
  log->info("on we go");
  CHECK(pipe.read()
        == "[] [warning] " + std::to_string(500 - lines)
             + " lines of the log were lost: nobody read them\n[server] [info] on we go\n");
}

TEST_CASE("the end of the log's reader is no end of the process", "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger();
  log->info("first");
  pipe.reader.reset();
  for (int i = 0; i < 100; ++i)
    log->error("nobody reads this"); // would raise SIGPIPE
  log->flush();
  sigset_t pending;
  ::sigpending(&pending);
  CHECK(::sigismember(&pending, SIGPIPE) == 0);
}

TEST_CASE("the log's descriptor stays as it is for others who have it", "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger();
  for (int i = 0; i < 500; ++i)
    log->info("{:0>80}", i);
  CHECK((::fcntl(pipe.writer.fd, F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("a stopped terminal holds up nobody who logs", "[log]") {
  plain_fd master{::posix_openpt(O_RDWR | O_NOCTTY)};
  REQUIRE(master.fd >= 0);
  REQUIRE(::grantpt(master.fd) == 0);
  REQUIRE(::unlockpt(master.fd) == 0);
  plain_fd terminal{::open(::ptsname(master.fd), O_RDWR | O_NOCTTY)};
  REQUIRE(terminal.fd >= 0);
  REQUIRE(::tcflow(terminal.fd, TCOOFF) == 0); // Ctrl-S
  const auto log = make_logger({}, {.descriptor = terminal.fd});
  log->set_pattern("%v");
  for (int i = 0; i < 1000; ++i)
    log->warn("{:0>200}", i);
  REQUIRE(::tcflow(terminal.fd, TCOON) == 0); // Ctrl-Q
  log->flush();
  std::array<char, 64> begin{};
  CHECK(::read(master.fd, begin.data(), begin.size()) > 0);
}

TEST_CASE("no more lines are logged than the rate allows, and those that were lost are told",
          "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger({.burst = 5, .lines_per_second = 2});
  for (int i = 0; i < 20; ++i)
    log->info("talk");
  CHECK(count(pipe.read(), "talk") == 5);
  SECTION("beside which warnings have a share of their own") {
    log->warn("trouble");
    const auto text = pipe.read();
    CHECK(text.find("15 lines of the log were lost: they were too many at once\n")
          != std::string::npos);
    CHECK(text.find("trouble") != std::string::npos);
  }
  SECTION("and with time there is room again") {
    pipe.time.advance(999ms);
    for (int i = 0; i < 20; ++i)
      log->info("talk");
    CHECK(count(pipe.read(), "talk") == 1);
    pipe.time.advance(1h);
    for (int i = 0; i < 20; ++i)
      log->info("talk");
    CHECK(count(pipe.read(), "talk") == 5);
  }
}

TEST_CASE("what a peer wrote puts no control characters into the log, and forges no line",
          "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger();
  log->info("{}", "a\x1b[2Jb\r\n[server] [error] forged\x07 \xff \xe2\x80\xae");
  CHECK(pipe.read()
        == "[server] [info] a\\x1b[2Jb\\x0d\n    [server] [error] forged\\x07 \\xff \\u202e\n");
}

TEST_CASE("a text that is too long is cut, and how much of it is told", "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger({.longest_line = 10});
  log->info(std::string(1000, 'x'));
  CHECK(pipe.read() == "[server] [info] xxxxxxxxxx ... and 990 bytes more\n");
}

TEST_CASE("the log goes where its descriptor leads, also when that was replaced", "[log]") {
  log_pipe first;
  log_pipe second;
  const auto log = first.logger();
  log->info("one");
  REQUIRE(::dup2(second.writer.fd, first.writer.fd) >= 0);
  log->info("two");
  CHECK(first.read() == "[server] [info] one\n");
  CHECK(second.read() == "[server] [info] two\n");
  char byte = 0;
  CHECK(::read(first.reader.fd, &byte, 1) == 0); // it is let go
}

TEST_CASE("a closed descriptor loses lines and nothing else", "[log]") {
  log_pipe pipe;
  const auto log = pipe.logger();
  pipe.writer.reset();
  log->error("nowhere");
  log->flush();
}

TEST_CASE("a runtime writes what waits once its log is read again, and tells what was lost",
          "[log]") {
  log_pipe pipe;
  manual_clock time;
  runtime rt{{.loops = 1,
              .install_signal_handlers = false,
              .logger = pipe.logger({.buffer = 2000}),
              .time_source = &time}};
  for (int i = 0; i < 200; ++i)
    rt.logger().warn("{:0>80}", i);
  std::string got = pipe.read();
  CHECK(got.find("were lost") == std::string::npos);
  rt.reactor().iterate(); // takes in that it is to be called
  CHECK(rt.reactor().get_delayed_calls().size() == 1);
  for (int i = 0; i < 10; ++i) {
    time.advance(1min);
    rt.reactor().iterate();
    got += pipe.read();
  }
  CHECK(got.find("lines of the log were lost: nobody read them\n") != std::string::npos);
  CHECK(rt.reactor().get_delayed_calls().empty()); // nothing is left to be done
}

TEST_CASE("a runtime without a logger takes the one that the program set for spdlog", "[log]") {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  CHECK(&rt.logger() == spdlog::default_logger_raw());
}

TEST_CASE("escaped text is seen and does nothing", "[log]") {
  CHECK(escape_text("plain, \"quoted\" and \\ too") == "plain, \"quoted\" and \\ too");
  CHECK(escape_text("\xc3\xa4 \xe6\xbc\xa2 \xf0\x9f\x99\x82")
        == "\xc3\xa4 \xe6\xbc\xa2 \xf0\x9f\x99\x82");
  CHECK(escape_text(std::string_view{"\0\t\n\r\x1b\x7f", 6}) == "\\x00\\x09\\x0a\\x0d\\x1b\\x7f");
  CHECK(escape_text("\xc2\x9b") == "\\u009b"); // CSI in one character
  CHECK(escape_text("\xc0\xaf \xed\xa0\x80")
        == "\\xc0\\xaf \\xed\\xa0\\x80");                           // overlong, a surrogate
  CHECK(escape_text("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80"); // beyond Unicode
  CHECK(escape_text("\xe6\xbc") == "\\xe6\\xbc");                   // cut off
  CHECK(escape_text("\xe2\x81\xa6"
                    "a\xef\xbb\xbf")
        == "\\u2066a\\ufeff");
  CHECK(escape_text("\xf3\xa0\x80\x81") == "\\U000e0001");
  CHECK(escape_text("12345", 3) == "123 ... and 2 bytes more");
  CHECK(escape_text("").empty());
}
