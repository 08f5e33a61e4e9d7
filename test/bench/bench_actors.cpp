// Troupe's side of the actor benchmarks: bench_actors ping-pong|real|pinned|spawn|request|ask|ask-flight [COUNT]
// Prints operations for each second, and for each second of CPU; and the bytes held afterwards.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <malloc.h>

#include <caf/send.hpp>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <troupe/actors/ask.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "process.hpp"

namespace {

using go_atom = caf::atom_constant<caf::atom("go")>;

int count = 0; // of messages, actors or requests

void stop(troupe::runtime& rt) {
  rt.reactor().call_from_thread([&rt] { rt.stop(); });
}

/// Returns every number to its sender, one higher, until there were enough.
template <class Base>
class player : public Base {
public:
  player(caf::actor_config& cfg, troupe::runtime& rt) : Base(cfg), rt_(rt) {}
  caf::behavior make_behavior() override {
    return {
      [this](go_atom, const caf::actor& other) {
        other_ = other;
        this->send(other, go_atom::value, 0, caf::actor{this});
      },
      [this](go_atom, int x, const caf::actor& other) {
        other_ = other;
        this->send(other_, x + 1);
      },
      [this](int x) {
        if (x >= count)
          return stop(rt_);
        this->send(other_, x + 1);
      },
    };
  }

private:
  troupe::runtime& rt_;
  caf::actor other_;
};

using said_atom = caf::atom_constant<caf::atom("said")>;
using joined_atom = caf::atom_constant<caf::atom("joined")>;
using left_atom = caf::atom_constant<caf::atom("left")>;

/// As player, but as actors of programs are: ten handlers, and two texts and a number in a message.
class room : public troupe::floating_actor {
public:
  room(caf::actor_config& cfg, troupe::runtime& rt) : floating_actor(cfg), rt_(rt) {}
  caf::behavior make_behavior() override {
    return {
      [this](go_atom, const caf::actor& other) {
        other_ = other;
        send(other_, go_atom::value, 0, caf::actor{this});
      },
      [this](go_atom, int x, const caf::actor& other) {
        other_ = other;
        said("ada", "good morning to all of you", x);
      },
      [this](joined_atom, const std::string& who) { last_ = who; },
      [this](left_atom, const std::string& who) { last_ = who; },
      [this](joined_atom, const std::string& who, int at) { last_ = who, number_ = at; },
      [this](left_atom, const std::string& who, int at) { last_ = who, number_ = at; },
      [this](int x) { number_ = x; },
      [this](const std::string& text) { last_ = text; },
      [this](said_atom, const std::string& who, int x) { last_ = who, number_ = x; },
      [this](said_atom, const std::string& who, const std::string& text, int x) {
        if (x >= count)
          return stop(rt_);
        said(who, text, x + 1);
      },
    };
  }

private:
  void said(const std::string& who, const std::string& text, int x) {
    send(other_, said_atom::value, who, text, x);
  }
  troupe::runtime& rt_;
  caf::actor other_;
  std::string last_;
  int number_ = 0;
};

/// Ends at once; the last one to be gone from memory stops the runtime.
class nothing : public troupe::floating_actor {
public:
  nothing(caf::actor_config& cfg, troupe::runtime& rt, int& left)
    : floating_actor(cfg), rt_(rt), left_(left) {}
  ~nothing() override {
    if (--left_ == 0)
      stop(rt_);
  }
  caf::behavior make_behavior() override { return {}; }

private:
  troupe::runtime& rt_;
  int& left_;
};

class spawner : public troupe::floating_actor {
public:
  spawner(caf::actor_config& cfg, troupe::runtime& rt) : floating_actor(cfg), rt_(rt) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      for (int i = 0; i < 100; ++i)
        spawn<nothing>(std::ref(rt_), std::ref(left_));
      if ((to_spawn_ -= 100) > 0)
        send(caf::actor{this}, go_atom::value);
    }};
  }

private:
  troupe::runtime& rt_;
  int to_spawn_ = count;
  int left_ = count; // spawned or not, not ended yet
};

class adder : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](int x) {
      return x + 1;
    }};
  }
};

class requester : public troupe::floating_actor {
public:
  requester(caf::actor_config& cfg, troupe::runtime& rt, caf::actor to)
    : floating_actor(cfg), rt_(rt), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      next();
    }};
  }

private:
  void next() {
    request(to_, std::chrono::seconds(30), left_).then([this](int) {
      if (--left_ == 0)
        return stop(rt_);
      next();
    });
  }
  troupe::runtime& rt_;
  caf::actor to_;
  int left_ = count;
};

/// As requester, with deferreds.
class asker : public troupe::floating_actor {
public:
  asker(caf::actor_config& cfg, troupe::runtime& rt, caf::actor to)
    : floating_actor(cfg), rt_(rt), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      next();
    }};
  }

private:
  void next() {
    troupe::ask<int>(*this, to_, std::chrono::seconds(30), left_).add_callback([this](int) {
      if (--left_ == 0)
        return stop(rt_);
      next();
    });
  }
  troupe::runtime& rt_;
  caf::actor to_;
  int left_ = count;
};

/// Asks everything at once; then tells what is still held.
class impatient : public troupe::floating_actor {
public:
  impatient(caf::actor_config& cfg, troupe::runtime& rt, caf::actor to)
    : floating_actor(cfg), rt_(rt), to_(std::move(to)) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      ask_one(); // what is made once, is made now
    }};
  }

  static inline double held = 0; // bytes
  static inline std::size_t timers = 0;

private:
  void ask_one() {
    troupe::ask<int>(*this, to_, std::chrono::seconds(30), 1).add_callback([this](int) {
      ::malloc_trim(0);
      before_ = ::mallinfo2().uordblks;
      for (int i = 0; i < count; ++i)
        troupe::ask<int>(*this, to_, std::chrono::seconds(30), i).add_callback([this](int) {
          if (--left_ == 0)
            call_later(std::chrono::milliseconds(1), [this] { end(); });
        });
    });
  }
  void end() {
    held = static_cast<double>(::mallinfo2().uordblks) - static_cast<double>(before_);
    rt_.reactor().call_from_thread([&rt = rt_] {
      timers = rt.reactor().get_delayed_calls().size();
      rt.stop();
    });
  }
  troupe::runtime& rt_;
  caf::actor to_;
  std::size_t before_ = 0;
  int left_ = count;
};

} // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const auto quiet =
    std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::null_sink_mt>());
  troupe::runtime rt{{.loops = what == "pinned" ? 2u : 1u, .logger = quiet}};
  count = bench::count_of(argc, argv,
                          what == "ask-flight"                                        ? 100'000
                          : what == "ping-pong" || what == "real" || what == "pinned" ? 2'000'000
                                                                                      : 500'000);
  caf::actor first;
  if (what == "ping-pong") {
    first = rt.spawn<player<troupe::floating_actor>>(std::ref(rt));
    caf::anon_send(first, go_atom::value, rt.spawn<player<troupe::floating_actor>>(std::ref(rt)));
  } else if (what == "real") {
    first = rt.spawn<room>(std::ref(rt));
    caf::anon_send(first, go_atom::value, rt.spawn<room>(std::ref(rt)));
  } else if (what == "pinned") {
    first = rt.spawn_on<player<troupe::pinned_actor>>(0, std::ref(rt));
    caf::anon_send(first, go_atom::value,
                   rt.spawn_on<player<troupe::pinned_actor>>(1, std::ref(rt)));
  } else if (what == "spawn") {
    first = rt.spawn<spawner>(std::ref(rt));
    caf::anon_send(first, go_atom::value);
  } else if (what == "request") {
    first = rt.spawn<requester>(std::ref(rt), rt.spawn<adder>());
    caf::anon_send(first, go_atom::value);
  } else if (what == "ask") {
    first = rt.spawn<asker>(std::ref(rt), rt.spawn<adder>());
    caf::anon_send(first, go_atom::value);
  } else if (what == "ask-flight") {
    first = rt.spawn<impatient>(std::ref(rt), rt.spawn<adder>());
    caf::anon_send(first, go_atom::value);
  } else {
    std::fprintf(stderr,
                 "bench_actors ping-pong|real|pinned|spawn|request|ask|ask-flight [COUNT]\n");
    return 2;
  }
  const bench::stopwatch watch;
  rt.run();
  if (what == "ask-flight")
    std::printf("%.0f %zu\n", impatient::held, impatient::timers);
  else
    watch.print(count);
}
