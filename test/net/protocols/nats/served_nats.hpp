#pragma once

#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/nats/nats_connection.hpp>
#include <troupe/nats/nats_server_child.hpp>

#include "support/catch.hpp"
#include "support/on_loop.hpp"
#include "support/running.hpp"

namespace troupe::testing {

/// Tells whether there is a nats-server here; says so if not, by which ctest knows that the test is skipped.
inline bool nats_server_installed() {
  static const bool is = std::system("command -v nats-server >/dev/null") == 0;
  if (!is)
    WARN("skipped: nats-server is not installed");
  return is;
}

/// A runtime with a nats-server as a child of a supervisor.
class served_nats {
public:
  explicit served_nats(nats_server_options o = {}) {
    if (o.health_interval != duration::max())
      o.health_interval = std::chrono::milliseconds(100);
    o.started = [this](const nats_server_address& a) {
      {
        const std::lock_guard hold{mutex_};
        address_ = a;
      }
      starts.add(a.url);
    };
    run.start();
    on_loop(run, [this, o = std::move(o)] {
      return root_supervisor(run.rt)->start_child(
        supervisor::as_child({.name = "servers",
                              .intensity = 100,
                              .backoff = {.initial = std::chrono::milliseconds(10)}},
                             {nats_server_child(run.rt, "nats", o)}));
    });
  }

  nats_server_address address() {
    const std::lock_guard hold{mutex_};
    return address_;
  }

  events starts;

private:
  std::mutex mutex_;
  nats_server_address address_;

public:
  running run{2};
};

/// A connection on loop 0, made and ended there.
class joined_nats {
public:
  explicit joined_nats(served_nats& s, nats_options o = {}) : run(s.run) {
    o.servers = {s.address().url};
    o.on_event = [this](const nats_event& e) {
      events.add(std::string{name(e.what)});
    };
    on_loop(run, [this, o = std::move(o)]() mutable {
      nats = std::make_unique<nats_connection>(run.rt, std::move(o));
      (void)nats->start_service();
    });
  }
  ~joined_nats() {
    on_loop(run, [this] { nats.reset(); });
  }
  joined_nats(const joined_nats&) = delete;
  joined_nats& operator=(const joined_nats&) = delete;

  void connect() {
    on_loop(run, [this] { return nats->when_connected(10); });
  }

  /// Returns why the first attempt fails; nothing wrong if it does not.
  failure refusal() {
    try {
      on_loop(run, [this] { return nats->when_connected(1); });
      return {};
    } catch (...) {
      return failure::current();
    }
  }

  nats_connection* operator->() const { return nats.get(); }

  running& run;
  testing::events events;
  std::unique_ptr<nats_connection> nats;
};

} // namespace troupe::testing
