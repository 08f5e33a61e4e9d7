// How a runtime ends when somebody does not want it to.
#include <troupe/runtime/runtime.hpp>

#include <csignal>
#include <fstream>
#include <latch>
#include <sstream>
#include <thread>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ostream_sink.h>

#include <troupe/net/factory.hpp>
#include <troupe/net/listen_tcp.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/catch.hpp"
#include "support/client.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

struct log_text {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> logger =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::ostream_sink_mt>(text));
  [[nodiscard]] bool has(const std::string& what) const {
    return text.str().find(what) != std::string::npos;
  }
};

/// Writes what nobody reads.
class flood : public protocol {
public:
  using protocol::protocol;
  void connection_made() override {
    transport().set_output_limits({.hard = 64u << 20});
    transport().write(std::string(24u << 20, 'z'));
  }
};

/// Does not end before it must.
class mule : public pinned_actor {
public:
  using pinned_actor::pinned_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
    }};
  }

protected:
  void stop_requested() override {}
};

/// Runs `code` in a process of its own, and returns its exit code; 128 and the number for a signal.
template <class F>
int in_child(F code) {
  const auto child = ::fork();
  if (child == 0) {
    std::signal(SIGINT, SIG_DFL); // Catch2 has them
    std::signal(SIGTERM, SIG_DFL);
    int status = 99;
    try {
      status = code();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

} // namespace

TEST_CASE("a client that does not read holds up neither stop nor its triggers") {
  log_text log;
  runtime rt{{.loops = 2, .grace = 2s, .install_signal_handlers = false, .logger = log.logger}};
  auto f = factory::for_protocol<flood>();
  auto port = listen_tcp(rt, 0, f);
  rt.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [&] {
    port.stop_listening();
    return deferred<void>(f.get()->drain());
  });
  client silent{port.get_host().port()};
  std::function<void()> stop_when_connected = [&] {
    f.get()->connections() == 0 ? void(rt.reactor().call_later(1ms, stop_when_connected))
                                : rt.stop();
  };
  rt.reactor().call_when_running(stop_when_connected);
  const auto began = std::chrono::steady_clock::now();
  rt.run();
  CHECK(std::chrono::steady_clock::now() - began < 20s);
  CHECK(log.has("stop() was called; waiting up to "));
  CHECK(log.has(" s for 1 `before` trigger, 1 connection"));
  CHECK(log.has("grace is over: 1 `before` trigger left that is waited for no more"));
  CHECK(log.has("grace is over: ended "));
  CHECK(log.has("flood 127.0.0.1:"));
}

TEST_CASE(
  "a call in a thread that does not end does not hold up run; the destructor waits for it") {
  log_text log;
  std::latch begun{1}, go{1};
  bool ended = false, second = false;
  {
    runtime rt{{.loops = 1, .grace = 1ms, .install_signal_handlers = false, .logger = log.logger}};
    rt.reactor().suggest_thread_pool_size(1);
    rt.reactor().call_in_thread([&] {
      begun.count_down();
      go.wait();
      ended = true;
    });
    rt.reactor().call_in_thread([&] { second = true; });
    rt.reactor().call_when_running([&] {
      begun.wait();
      rt.stop();
    });
    rt.run();
    CHECK(log.has("grace is over: 1 call in a thread has not returned"));
    go.count_down();
  }
  CHECK(ended);
  CHECK_FALSE(second);
}

TEST_CASE("a signal is told what it waits for, and a second one ends the process") {
  const int first = GENERATE(SIGTERM, SIGINT);
  const std::string path = "/tmp/troupe_stopping_test." + std::to_string(::getpid());
  const auto code = in_child([&] {
    const auto log = std::make_shared<spdlog::logger>(
      "", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, true));
    ::freopen("/dev/null", "w", stderr);
    runtime rt{{.loops = 1, .grace = 60s, .logger = log}};
    rt.spawn_on<mule>(0);
    rt.reactor().call_when_running([&] {
      ::raise(first);
      ::raise(first); // sent twice, and one
    });
    rt.reactor().call_later(1s, [&] { ::raise(SIGTERM); });
    return rt.run().exit_code();
  });
  CHECK(code == 128 + SIGTERM);
  std::ifstream file{path};
  std::stringstream text;
  text << file.rdbuf();
  std::remove(path.c_str());
  const std::string name = first == SIGTERM ? "SIGTERM" : "SIGINT";
  CHECK(text.str().find("received " + name + "; waiting up to ") != std::string::npos);
  CHECK(text.str().find(" s for 1 actor (") != std::string::npos);
}

TEST_CASE("a signal that finds loop 0 blocked ends the process if it comes again") {
  const auto code = in_child([&] {
    ::freopen("/dev/null", "w", stderr);
    runtime rt{{.loops = 1}};
    rt.reactor().call_when_running([&] {
      std::thread([] {
        for (;;) { // one that comes within a second is taken for the first
          ::kill(::getpid(), SIGTERM);
          std::this_thread::sleep_for(300ms);
        }
      }).detach();
      for (;;)
        ::pause();
    });
    return rt.run().exit_code();
  });
  CHECK(code == 128 + SIGTERM);
}

TEST_CASE("a signal that stops in order is no failure, and is told") {
  log_text log;
  runtime rt{{.loops = 2, .logger = log.logger}};
  rt.reactor().call_when_running([] { ::raise(SIGTERM); });
  CHECK(rt.run().exit_code() == 0);
  CHECK(log.has("received SIGTERM; stopped"));
}

TEST_CASE("where no thread can be made, run says so, and a runtime ends all the same") {
  if (::getuid() != 0)
    return; // no other user to become, whose threads can be counted
  const auto code = in_child([] {
    ::freopen("/dev/null", "w", stderr);
    bool refused = false, too_late = false;
    {
      const auto quiet = std::make_shared<spdlog::logger>("");
      runtime rt{{.loops = 1, .logger = quiet}}, two{{.loops = 2, .logger = quiet}};
      rt.reactor().call_when_running([&] { rt.stop(); });
      if (::setresuid(65530, 65530, 65530) != 0)
        return 3;
      const rlimit one{1, 1};
      ::setrlimit(RLIMIT_NPROC, &one);
      rt.run();
      for (int i = 0; i < 2; ++i)
        try {
          two.run();
        } catch (const std::system_error&) {
          refused = !two.reactor().running();
          too_late = i == 1; // it may be tried again
        }
    }
    return refused && too_late ? 0 : 1;
  });
  CHECK(code == 0);
}

TEST_CASE("a factory may quit in stop_factory") {
  class quitting : public factory {
  public:
    using factory::factory;
    protocol_ptr build_protocol(const net_address&) override { return make_protocol<protocol>(); }
    void stop_factory() override { quit(); }
  };
  const bool by_hand = GENERATE(true, false);
  runtime rt{{.loops = 1, .grace = 60s, .install_signal_handlers = false}};
  auto port = listen_tcp(rt, 0, factory::of<quitting>());
  rt.reactor().call_later(1ms, [&] {
    if (by_hand)
      port.stop_listening();
    rt.stop();
  });
  const auto began = std::chrono::steady_clock::now();
  rt.run();
  CHECK(std::chrono::steady_clock::now() - began < 30s);
}

TEST_CASE("a grace time without an end sends all there is") {
  runtime rt{{.loops = 1, .grace = duration::max(), .install_signal_handlers = false}};
  const auto port = listen_tcp(rt, 0, factory::for_protocol<flood>());
  std::size_t got = 0;
  std::thread peer([&] {
    client c{port.get_host().port()};
    c.receive(1);
    rt.stop();
    got = 1 + c.rest().size();
  });
  rt.run();
  peer.join();
  CHECK(got == 24u << 20);
}
