// A tree of supervisors under random kills: what should live lives, and nothing is left over.
//
// TROUPE_SOAK_SECONDS=60 makes it the long one; TROUPE_SOAK_SEED repeats the choices of a run.

#include <atomic>
#include <cstdio>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <random>

#include <unistd.h>

#include <caf/send.hpp>

#include <troupe/actors/topic_child.hpp>
#include <troupe/net/connect_tcp.hpp>
#include <troupe/runtime/floating_actor.hpp>

#include "support/environment.hpp"
#include "support/supervised.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

std::atomic<long> leaves_alive{0};

template <class Base>
class leaf : public Base {
public:
  explicit leaf(caf::actor_config& cfg) : Base(cfg) { ++leaves_alive; }
  ~leaf() override { --leaves_alive; }
  caf::behavior make_behavior() override {
    return {[](caf::unit_t) {
    }};
  }
};

/// Takes some time to end, so that stopping it and killing it meet.
class slow_leaf : public leaf<floating_actor> {
public:
  explicit slow_leaf(caf::actor_config& cfg) : leaf(cfg) {
    set_exit_handler(
      [this](caf::exit_msg& m) { call_later(1ms, [this, why = m.reason] { quit(why); }); });
  }
};

child_spec floating(std::string id) {
  return {.id = std::move(id), .start = start_actor<leaf<floating_actor>>()};
}
child_spec pinned(std::string id) {
  return {.id = std::move(id), .start = start_actor<leaf<pinned_actor>>()};
}
child_spec slow(std::string id) {
  return {.id = std::move(id), .start = start_actor<slow_leaf>()};
}
/// On any loop, whichever is next.
child_spec elsewhere(std::string id) {
  return {.id = std::move(id), .start = [](supervisor& s) {
            caf::actor_config cfg{&loop_scheduler::of(s.system()).next_loop()};
            return caf::actor_cast<caf::actor>(
              s.system().spawn_impl<leaf<pinned_actor>, caf::hidden>(cfg));
          }};
}

supervisor_options patient(std::string name, restart_strategy strategy) {
  supervisor_options options;
  options.name = std::move(name);
  options.strategy = strategy;
  options.intensity = 1'000'000'000;
  return options;
}

/// Counts the restarts of each life of a supervisor, which ends when they are too many.
class limits {
public:
  static constexpr std::size_t intensity = 2;

  supervisor_options of(std::string name) {
    supervisor_options options;
    options.name = std::move(name);
    options.intensity = intensity;
    options.period = 1h;
    options.observer = [this](const supervisor_event& e) {
      if (e.kind == supervisor_event_kind::started)
        restarts_ = 0;
      else if (e.kind == supervisor_event_kind::child_restarting)
        violations += ++restarts_ > intensity ? 1 : 0;
      else if (e.kind == supervisor_event_kind::intensity_reached)
        ++(restarts_ == intensity ? reached : violations);
    };
    return options;
  }

  std::atomic<std::size_t> reached{0};
  std::atomic<std::size_t> violations{0};

private:
  std::size_t restarts_ = 0; // in its present life
};

/// What a look at the whole tree saw.
struct census {
  struct target {
    caf::actor actor;
    bool only_kill; // an orderly end would close the connections
  };
  std::vector<target> all; // whoever may be ended at random
  std::size_t leaves = 0;
  std::size_t missing = 0;
  std::map<std::string, child_info> mortals;
};

// Supervisors whose children nobody would start again, and which must not be ended for that.
bool is_kept(const child_info& c) {
  return c.id == "pool" || c.id == "mortals";
}

void count(supervisor& sup, census& result) {
  for (const auto& c : sup.which_children()) {
    if (!c.actor) {
      ++result.missing;
      continue;
    }
    if (!is_kept(c))
      result.all.push_back({c.actor, c.id == "tree" || c.id == "net" || c.id == "factory"});
    auto* const inner = c.type == child_type::supervisor
                          ? static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(c.actor))
                          : nullptr;
    if (c.id == "mortals") {
      for (auto& m : inner->which_children())
        result.mortals.emplace(m.id, m);
    } else if (inner != nullptr) {
      count(*inner, result);
    } else if (c.id != "factory" && c.id != "port" && c.id != "link" && c.id != "room") {
      ++result.leaves;
    }
  }
}

/// Children that are not always started again, and what each should be.
class mortals {
public:
  enum class should { run, rest, be_gone };

  static child_spec spec(const std::string& id) {
    auto one = floating(id);
    one.restart = id[0] == 't' ? restart_type::transient : restart_type::temporary;
    return one;
  }

  static std::vector<child_spec> specs() {
    std::vector<child_spec> all;
    for (const auto* id : {"t1", "t2", "t3", "x1", "x2", "x3"})
      all.push_back(spec(id));
    return all;
  }

  mortals() {
    for (const auto& s : specs())
      expected_[s.id] = should::run;
  }

  /// Ends one that runs, in a regular way or not; or sees to it that one is there again.
  void disturb(supervisor& parent, const census& now, std::mt19937& random) {
    auto one = std::next(expected_.begin(), static_cast<long>(random() % expected_.size()));
    auto& [id, state] = *one;
    if (state == should::rest)
      parent.restart_child(id);
    else if (state == should::be_gone)
      parent.start_child(spec(id));
    else {
      const bool regular = random() % 2 == 0;
      caf::anon_send_exit(now.mortals.at(id).actor,
                          regular ? caf::exit_reason::user_shutdown : caf::exit_reason::kill);
      state = id[0] == 'x' ? should::be_gone : regular ? should::rest : should::run;
      ended_ = now.mortals.at(id).actor.id();
      return;
    }
    state = should::run;
  }

  [[nodiscard]] bool right(const census& now) const {
    for (const auto& [id, state] : expected_) {
      const auto found = now.mortals.find(id);
      const auto is = found == now.mortals.end() ? should::be_gone
                      : found->second.actor      ? should::run
                                                 : should::rest;
      if (is != state || (is == should::run && found->second.actor.id() == ended_))
        return false;
    }
    return true;
  }

  [[nodiscard]] std::size_t running() const {
    return static_cast<std::size_t>(std::count_if(
      expected_.begin(), expected_.end(), [](const auto& e) { return e.second == should::run; }));
  }

private:
  std::map<std::string, should> expected_;
  caf::actor_id ended_ = 0; // the latest; its successor is another actor
};

/// What must not grow. Less is no fault: when the first count was taken, something may have been about
/// to end.
struct holdings {
  std::size_t pinned = 0;
  std::size_t descriptors = 0;
  [[nodiscard]] bool within(const holdings& bounds) const {
    return pinned <= bounds.pinned && descriptors <= bounds.descriptors;
  }
};

std::size_t resident() {
  std::ifstream in{"/proc/self/status"};
  for (std::string word; in >> word;)
    if (word == "RssAnon:") {
      std::size_t kb = 0;
      in >> kb;
      return kb * 1024;
    }
  return 0;
}

} // namespace

TEST_CASE("a tree under random kills heals, and leaks nothing") {
  const auto seed =
    static_cast<unsigned>(number_from("TROUPE_SOAK_SEED", std::random_device{}() >> 1));
  const auto time = std::chrono::seconds(number_from("TROUPE_SOAK_SECONDS", 3));
  std::printf("supervision soak: %ld s, TROUPE_SOAK_SEED=%u\n", static_cast<long>(time.count()),
              seed);
  std::mt19937 random{seed};
  const auto before = open_descriptors();
  constexpr std::size_t pool_size = 20;
  constexpr std::size_t always = 4 + 3 + 3 + 2 + 2 + pool_size;
  events log;
  limits fragile;
  {
    running server{4};
    auto& rt = server.rt;
    const topics rooms{rt};
    const auto f = factory::for_protocol<echo>();
    const auto unix_f = factory::for_protocol<echo>();
    const auto client_f = client_factory::for_protocol<protocol>();
    const auto name = "@troupe-soak-" + std::to_string(::getpid());
    std::atomic<std::uint16_t> number{0};
    const auto at = [&](const listening_port& p) {
      number = p.get_host().port();
    };
    const auto tree = supervisor::as_child(
      patient("tree", restart_strategy::one_for_one),
      {floating("a"), pinned("b"), elsewhere("c"), slow("d"), topic_child("room", rooms, "lobby"),
       supervisor::as_child(patient("all", restart_strategy::one_for_all),
                            {floating("a"), elsewhere("b"), slow("c")}),
       supervisor::as_child(patient("rest", restart_strategy::rest_for_one),
                            {pinned("a"), elsewhere("b"),
                             supervisor::as_child(patient("deep", restart_strategy::one_for_all),
                                                  {floating("a"), pinned("b")}),
                             floating("c")}),
       supervisor::as_child(fragile.of("fragile"), {elsewhere("a"), floating("b")}),
       supervisor::as_child(
         patient("net", restart_strategy::one_for_one),
         {factory_child("factory", f), port_child("port", 0, f, {}, at),
          supervisor::as_child(patient("local", restart_strategy::rest_for_one),
                               {factory_child("factory", unix_f),
                                unix_port_child("port", name, unix_f),
                                unix_connector_child(rt, "link", name, client_f)})})});
    const auto root = root_supervisor(rt, patient("root", restart_strategy::one_for_one));
    root->start_child(tree);
    caf::actor kept;
    root
      ->start_child(
        supervisor::as_child(patient("mortals", restart_strategy::one_for_one), mortals::specs()))
      .add_callback([&](const caf::actor& a) { kept = a; });
    root->start_child(supervisor::as_child(patient("pool", restart_strategy::dynamic), {}))
      .add_callback([&](const caf::actor& a) {
        for (std::size_t i = 0; i < pool_size; ++i)
          static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(a))
            ->start_child(floating({}));
        log.add("up");
      });
    server.start();
    REQUIRE(log.wait_for("up"));
    mortals some;
    const auto look = [&] {
      return on_loop(server, [&] {
        census result;
        count(*root, result);
        return result;
      });
    };
    const auto held = [&] {
      holdings now{0, open_descriptors()};
      for (std::size_t i = 0; i < rt.loops(); ++i)
        now.pinned += rt.scheduler().loop(i).load();
      return now;
    };
    // Waits until everything is as it should be.
    const auto healed = [&](const std::optional<holdings>& usual) {
      const auto end = std::chrono::steady_clock::now() + 30s;
      for (;;) {
        const auto now = look();
        const auto alive = static_cast<std::size_t>(leaves_alive);
        const auto has = held();
        if (now.missing == 0 && now.leaves == always && some.right(now)
            && alive == always + some.running() && rooms.find("lobby")
            && (!usual || has.within(*usual)))
          return true;
        if (std::chrono::steady_clock::now() > end) {
          std::printf("missing %zu, leaves %zu, alive %zu of %zu; pinned %zu, descriptors %zu; "
                      "usually %zu and %zu\n",
                      now.missing, now.leaves, alive, always + some.running(), has.pinned,
                      has.descriptors, usual ? usual->pinned : 0, usual ? usual->descriptors : 0);
          return false;
        }
        std::this_thread::yield();
      }
    };
    REQUIRE(healed(std::nullopt));

    std::vector<client> users;
    for (int i = 0; i < 5; ++i) {
      users.emplace_back(number);
      expect_echo(users.back());
    }
    REQUIRE(healed(std::nullopt));
    const auto usual = held();
    std::size_t kills = 0, mortal_ends = 0, warm = 0;
    const auto start = std::chrono::steady_clock::now();
    for (auto now_at = start; now_at < start + time; now_at = std::chrono::steady_clock::now()) {
      auto now = look();
      for (auto n = now.all.empty() ? 0 : random() % 4; n > 0; --n, ++kills) {
        const auto& [actor, only_kill] = now.all[random() % now.all.size()];
        caf::anon_send_exit(actor, random() % 2 == 0 || only_kill
                                     ? caf::exit_reason::kill
                                     : caf::exit_reason::unhandled_exception);
      }
      now = {}; // a handle keeps even a dead one in memory
      expect_echo(users[random() % users.size()], "here"); // established connections stay
      if (random() % 16 == 0)
        expect_echo(number); // and new ones find their way
      if (random() % 16 != 0)
        continue;
      REQUIRE(healed(usual));
      now = look();
      on_loop(server, [&] {
        some.disturb(*static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(kept)), now,
                     random);
      });
      now = {};
      ++mortal_ends;
      REQUIRE(healed(usual));
      if (warm == 0 && now_at > start + time / 4)
        warm = resident();
    }
    CHECK(healed(usual));
    const auto grown = warm != 0 && resident() > warm ? resident() - warm : 0;
    for (auto& u : users)
      expect_echo(u);
    std::printf("supervision soak: %zu kills, %zu ends and starts of mortals, %zu lives of fragile "
                "over, grown by %zu KiB\n",
                kills, mortal_ends, fragile.reached.load(), grown / 1024);
    CHECK(kills > 10);
    CHECK(fragile.violations == 0);
#ifndef TROUPE_SANITIZED // what a sanitizer keeps grows
    CHECK(grown < 8 * 1024 * 1024);
#endif
  }
  CHECK(leaves_alive == 0);
  CHECK(open_descriptors() == before);
}

TEST_CASE("restart limits hold under kills from another thread") {
  const auto intensity = static_cast<std::size_t>(GENERATE(0, 1, 5));
  std::promise<failure> given_up;
  events log;
  running server{4};
  auto fragile = supervisor::as_child({.name = "fragile", .intensity = intensity, .period = 1h},
                                      {elsewhere("a"), floating("b")}, restart_type::temporary);
  supervisor_options options;
  options.observer = [&](const supervisor_event& e) {
    if (e.kind == supervisor_event_kind::child_ended)
      given_up.set_value(e.reason);
  };
  caf::actor under_test;
  auto& rt = server.rt;
  root_supervisor(rt, options)->start_child(fragile).add_callback([&](const caf::actor& a) {
    under_test = a;
    log.add("up");
  });
  server.start();
  REQUIRE(log.wait(1));
  auto& sup = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(under_test));
  auto ended = given_up.get_future();
  std::size_t kills = 0;
  for (caf::actor killed; ended.wait_for(0s) != std::future_status::ready;) {
    const auto all = on_loop(server, [&] { return sup.which_children(); });
    if (all.empty() || !all[0].actor || all[0].actor == killed) {
      std::this_thread::yield();
      continue;
    }
    killed = all[0].actor;
    caf::anon_send_exit(killed, caf::exit_reason::kill);
    ++kills;
  }
  CHECK(kills == intensity + 1);
  CHECK(ended.get().check(errc::restart_intensity_reached));
}
