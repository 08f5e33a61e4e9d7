// The peer of the actor benchmarks, on CAF's own work-stealing scheduler with one worker:
// peer_caf_actors ping-pong|spawn|request|publish [COUNT]
// Prints operations for each second, and for each second of CPU; and the bytes held afterwards.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "process.hpp"

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;

int count = 0; // of messages, actors or requests

class player : public caf::event_based_actor {
public:
  using event_based_actor::event_based_actor;
  caf::behavior make_behavior() override {
    return {
      [this](go_atom, const caf::actor& other) {
        other_ = other;
        send(other, go_atom::value, 0, caf::actor{this});
      },
      [this](go_atom, int x, const caf::actor& other) {
        other_ = other;
        send(other_, x + 1);
      },
      [this](int x) {
        if (x < count)
          return send(other_, x + 1);
        send_exit(other_, caf::exit_reason::user_shutdown);
        quit();
      },
    };
  }

private:
  caf::actor other_;
};

class nothing : public caf::event_based_actor {
public:
  using event_based_actor::event_based_actor;
  caf::behavior make_behavior() override { return {}; }
};

class spawner : public caf::event_based_actor {
public:
  using event_based_actor::event_based_actor;
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < 100; ++i)
        spawn<nothing>();
      if ((left_ -= 100) <= 0)
        return quit();
      send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  int left_ = count;
};

class adder : public caf::event_based_actor {
public:
  using event_based_actor::event_based_actor;
  caf::behavior make_behavior() override {
    return {[](int x) {
      return x + 1;
    }};
  }
};

class requester : public caf::event_based_actor {
public:
  requester(caf::actor_config& cfg, caf::actor to) : event_based_actor(cfg), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      next();
    }};
  }

private:
  void next() {
    request(to_, std::chrono::seconds(30), left_).then([this](int) {
      if (--left_ > 0)
        return next();
      send_exit(to_, caf::exit_reason::user_shutdown);
      quit();
    });
  }
  caf::actor to_;
  int left_ = count;
};

/// Sends the same message to a thousand subscribers, again once all have had it.
class publisher : public caf::event_based_actor {
public:
  static constexpr int subscribers = 1000;
  static inline int delivered = 0; // one worker runs them all

  using event_based_actor::event_based_actor;
  caf::behavior make_behavior() override {
    for (int i = 0; i < subscribers; ++i)
      all_.push_back(spawn([self = caf::actor{this}](caf::event_based_actor* me) -> caf::behavior {
        return {[me, self](const std::string& text) {
          if (text.size() == 64 && ++delivered % subscribers == 0)
            me->send(self, go_atom::value);
        }};
      }));
    return {[this](go_atom) {
      if (left_-- == 0) {
        for (const auto& to : all_)
          send_exit(to, caf::exit_reason::user_shutdown);
        return quit();
      }
      for (const auto& to : all_)
        send(to, text_);
    }};
  }

private:
  std::vector<caf::actor> all_;
  const caf::message text_ = caf::make_message(std::string(64, 'x')); // shared by all
  int left_ = count / subscribers;
};

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  caf::actor_system_config cfg;
  cfg.set("scheduler.max-threads", std::size_t{1});
  caf::actor_system sys{cfg};
  count = bench::count_of(argc, argv, what == "ping-pong" ? 2'000'000 : 500'000);
  const bench::stopwatch watch;
  if (what == "ping-pong") {
    caf::anon_send(sys.spawn<player>(), go_atom::value, sys.spawn<player>());
  } else if (what == "spawn") {
    caf::anon_send(sys.spawn<spawner>(), go_atom::value);
  } else if (what == "request") {
    caf::anon_send(sys.spawn<requester>(sys.spawn<adder>()), go_atom::value);
  } else if (what == "publish") {
    caf::anon_send(sys.spawn<publisher>(), go_atom::value);
  } else {
    std::fprintf(stderr, "peer_caf_actors ping-pong|spawn|request|publish [COUNT]\n");
    return 2;
  }
  sys.await_all_actors_done();
  if (what == "publish" && publisher::delivered != count / 1000 * 1000)
    return 1;
  watch.print(count);
  std::fflush(stdout);
  std::_Exit(0); // the timeouts that CAF keeps would delay the end by 30 s
}
