#pragma once

#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <sys/wait.h>

#include <troupe/net/spawn_process.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

namespace troupe::testing {

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

inline builder<process_protocol> reports(events& told, reporter::actions what = {}) {
  return build<reporter>(std::ref(told), std::move(what));
}

inline std::vector<std::string> shell(const std::string& script) {
  return {"-c", script};
}

inline const std::string done = "the process exited with status 0";

// Counts those that have exited and were not waited for; takes none away.
inline bool has_no_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD;
}

inline bool children_end() {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!has_no_children() && std::chrono::steady_clock::now() < limit)
    std::this_thread::yield();
  return has_no_children();
}

/// Waits until `text` has been told; false after twenty seconds without.
inline bool wait_for(events& told, const std::string& text) {
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

} // namespace troupe::testing
