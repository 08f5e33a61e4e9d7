// Entities of nodes whose runtimes run in threads of their own, on several loops each.

#include <troupe/sharded/sharded.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <caf/send.hpp>

#include <troupe/cluster/memory_backplane.hpp>
#include <troupe/leases/memory_leases.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/running.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using note_atom = caf::atom_constant<caf::atom("note")>;
using count_atom = caf::atom_constant<caf::atom("count")>;
using go_atom = caf::atom_constant<caf::atom("go")>;

/// What has come, of all entities.
struct notes {
  std::mutex mutex;
  std::map<std::string, int> latest; // by key and sender
  std::map<std::string, int> running;
  int wrong = 0;
  std::atomic<int> count{0};
};

class notebook final : public entity {
public:
  notebook(caf::actor_config& cfg, entity_start begin, notes* into)
    : entity(cfg, std::move(begin)), into_(into) {
    const std::lock_guard lock{into_->mutex};
    into_->wrong += ++into_->running[key()] == 1 ? 0 : 1;
  }
  caf::behavior make_behavior() override {
    return {[this](note_atom, const std::string& sender, int n) {
              const std::lock_guard lock{into_->mutex};
              auto& latest = into_->latest[key() + ' ' + sender];
              into_->wrong += n == latest + 1 ? 0 : 1;
              latest = n;
              ++into_->count;
            },
            [this](count_atom) {
              return into_->count.load();
            }};
  }
  void on_exit() override {
    {
      const std::lock_guard lock{into_->mutex};
      --into_->running[key()];
    }
    entity::on_exit();
  }

private:
  notes* const into_;
};

constexpr int keys = 16;

/// What senders do until they are told that it is enough.
struct work {
  std::atomic<bool> enough{false};
  std::atomic<int> sent{0};
  std::atomic<int> done{0}; // senders
  std::mutex mutex;
  std::vector<std::string> failed{};

  void fails(const std::string& what, const failure& why) {
    const std::lock_guard lock{mutex};
    failed.push_back(what + ": " + why.message());
  }
};

/// Sends to all keys, some at a time, and goes on when that has been dealt with.
class sender final : public pinned_actor {
public:
  sender(caf::actor_config& cfg, sharded<notebook>* to, std::string name, int rounds, work* of)
    : pinned_actor(cfg), to_(to), name_(std::move(name)), rounds_(rounds), work_(of) {}
  caf::behavior make_behavior() override {
    return {[this](go_atom) {
      round();
    }};
  }

private:
  void round() {
    if (sent_ >= rounds_ && work_->enough)
      return void(++work_->done);
    ++sent_;
    waits_ = keys;
    for (int k = 0; k < keys; ++k) {
      const auto ref = to_->get("key" + std::to_string(k));
      ++work_->sent;
      if (const auto why = ref.send(note_atom::value, name_, sent_))
        work_->fails(ref.key(), why);
      troupe::ask<int>(*this, ref, 20s, count_atom::value).add_both([this, k](outcome<int> got) {
        if (!got)
          work_->fails("key" + std::to_string(k) + " asked by " + name_, got.error());
        if (--waits_ == 0)
          round();
      });
    }
  }

  sharded<notebook>* const to_;
  const std::string name_;
  const int rounds_;
  work* const work_;
  int sent_ = 0;
  int waits_ = 0;
};

template <class Done>
bool wait_until(Done done) {
  for (int i = 0; i < 12'000; ++i) {
    if (done())
      return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

} // namespace

TEST_CASE("entities move between processes of several loops, and nothing is lost or out of order",
          "[sharded]") {
  const std::size_t loops = GENERATE(1, 3);
  const bool leased = GENERATE(false, true);
  const int rounds = static_cast<int>(load_size(1'000));
  CAPTURE(loops, leased);
  auto wire = std::make_shared<memory_backplane>();
  auto store = std::make_shared<memory_leases>();
  notes all;
  work load;
  struct process {
    process(std::size_t count, std::string name, const std::shared_ptr<memory_backplane>& via,
            const std::shared_ptr<memory_leases>& leases_in, bool with_leases, notes* into)
      : of(count), node(of.rt, {.name = name, .via = via, .heartbeat = 100ms}) {
      if (with_leases)
        locks.emplace(of.rt, leases_in, leases_options{.node = name});
      books.emplace(
        node, sharded_options{.name = "books", .locks = with_leases ? &*locks : nullptr}, into);
    }
    running of;
    troupe::cluster node;
    std::optional<leases> locks;
    std::optional<sharded<notebook>> books;
  };
  process a{loops, "a", wire, store, leased, &all};
  process b{loops, "b", wire, store, leased, &all};
  std::vector<caf::actor> senders;
  for (std::size_t i = 0; i < loops; ++i)
    for (auto* const one : {&a, &b})
      senders.push_back(caf::actor_cast<caf::actor>(one->of.rt.spawn_on<sender>(
        i, &*one->books, one->node.name() + std::to_string(i), rounds, &load)));
  a.of.start();
  b.of.start();
  REQUIRE(wait_until([&] { return !a.node.nodes().empty() && !b.node.nodes().empty(); }));
  for (const auto& one : senders)
    caf::anon_send(one, go_atom::value);
  const auto at_least = static_cast<int>(senders.size()) * keys * rounds;
  REQUIRE(wait_until([&] { return all.count > at_least / 4; }));
  process c{loops, "c", wire, store, leased, &all}; // takes its share
  c.of.start();
  REQUIRE(wait_until([&] { return c.books->counters().started > 0; }));
  c.of.rt.reactor().call_from_thread([&] { c.node.drain().add_callback([] {}); });
  CHECK(wait_until([&] { return c.node.state() == own_state::left; }));
  load.enough = true;
  CHECK(wait_until([&] { return load.done == static_cast<int>(senders.size()); }));
  CHECK(load.failed == std::vector<std::string>{});
  CHECK(all.count == load.sent);
  {
    const std::lock_guard lock{all.mutex};
    CHECK(all.wrong == 0);
  }
  CHECK(c.books->counters().entities == 0);
  for (auto* const one : {&c, &b, &a})
    one->of.stop();
}
