#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/atom.hpp>

#include <troupe/actors/respond.hpp>
#include <troupe/leases/leases.hpp>
#include <troupe/leases/memory_leases.hpp>
#include <troupe/runtime/reactor.hpp>
#include <troupe/sharded/sharded.hpp>
#include <troupe/testing/cluster_fixture.hpp>

#include "net/protocols/leases/faulty_leases.hpp"

namespace troupe::testing {

using namespace std::chrono_literals;

using add_atom = caf::atom_constant<caf::atom("add")>;
using which_atom = caf::atom_constant<caf::atom("which")>;
using crash_atom = caf::atom_constant<caf::atom("crash")>;
using end_atom = caf::atom_constant<caf::atom("end")>;
using wait_atom = caf::atom_constant<caf::atom("wait")>;

/// All that entities of all nodes have done.
struct entity_log {
  std::map<std::string, std::multiset<std::string>> running; // by key: nodes
  std::size_t overlaps = 0;
  std::size_t without_lease = 0; // messages that were dealt with after the lease was over
  std::size_t disorder = 0;
  std::size_t disorder_in_one = 0; // that one entity has seen itself
  std::size_t twice = 0;
  std::map<std::string, std::uint64_t>
    latest; // by key and sender, while it is the same entity or its successor
  std::set<std::string> seen;
  std::vector<std::string> ends;                 // "key node why"
  std::map<std::string, std::uint64_t> greatest; // by key: the lease's token
  bool leased = false;
};

/// Counts what it is told, and checks what it may.
class tally final : public entity {
public:
  tally(caf::actor_config& cfg, entity_start begin, std::string node, entity_log* log)
    : entity(cfg, std::move(begin)), node_(std::move(node)), log_(log) {
    if (key() == "cannot be")
      throw std::runtime_error("it cannot be");
    auto& here = log_->running[key()];
    log_->overlaps += here.empty() ? 0 : 1;
    here.insert(node_);
    if (log_->leased) {
      if (!lease().held() || lease().token() < log_->greatest[key()])
        ++log_->without_lease;
      log_->greatest[key()] = lease().token();
    }
    if (state().match_elements<std::int64_t>())
      sum_ = state().get_as<std::int64_t>(0);
  }
  ~tally() override { gone(); }

  caf::behavior make_behavior() override {
    return {[this](add_atom, const std::string& sender, std::uint64_t n) { return add(sender, n); },
            [this](which_atom) { return node_ + ' ' + std::to_string(sum_); },
            [](crash_atom) -> std::string { throw std::runtime_error("told to"); },
            [this](end_atom) { quit(); },
            [this](wait_atom) {
              owed_.emplace_back(*this);
              return caf::delegated<std::string>{};
            }};
  }
  void on_exit() override {
    gone();
    entity::on_exit();
  }

protected:
  deferred<caf::message> hand_over(entity_end why) override {
    log_->ends.push_back(key() + ' ' + node_ + ' ' + std::string{to_string(why)});
    if (key() == "slow") // which does not end by itself
      return never_.get_deferred();
    if (sum_ == 0)
      return succeed(caf::message{});
    return succeed(caf::make_message(sum_));
  }
  void merge(caf::message other) override {
    if (other.match_elements<std::int64_t>())
      sum_ += other.get_as<std::int64_t>(0);
  }

private:
  std::int64_t add(const std::string& sender, std::uint64_t n) {
    if (log_->leased && !lease().held())
      ++log_->without_lease;
    auto& latest = log_->latest[key() + ' ' + sender];
    log_->disorder += n > latest ? 0 : 1;
    latest = std::max(latest, n);
    auto& mine = latest_[sender];
    log_->disorder_in_one += n > mine ? 0 : 1;
    mine = std::max(mine, n);
    log_->twice += log_->seen.insert(key() + ' ' + sender + ' ' + std::to_string(n)).second ? 0 : 1;
    return ++sum_;
  }
  void gone() {
    if (std::exchange(gone_, true))
      return;
    auto& here = log_->running[key()];
    if (const auto found = here.find(node_); found != here.end())
      here.erase(found);
  }

  const std::string node_;
  entity_log* const log_;
  std::int64_t sum_ = 0;
  std::map<std::string, std::uint64_t> latest_;
  bool gone_ = false;
  std::vector<owed_response> owed_;
  promise<caf::message> never_;
};

/// A cluster each node of which has a `sharded<tally>`.
struct entity_net : cluster_fixture {
  explicit entity_net(cluster_fixture_options options = {}, sharded_options kind = {},
                      bool leased = false)
    : cluster_fixture(std::move(options)), kind_(std::move(kind)), leased_(leased) {
    if (kind_.name.empty())
      kind_.name = "tallies";
    log.leased = leased;
    for (std::size_t i = 0; i < size(); ++i) {
      parts.emplace_back();
      begin(i);
    }
  }
  ~entity_net() {
    for (auto& one : parts)
      runtime().in_turn([&] { one.end(); });
    runtime().settle();
  }

  struct part {
    std::shared_ptr<faulty_leases> store;
    std::optional<troupe::leases> locks;
    std::optional<sharded<tally>> all;
    void end() {
      all.reset();
      if (store)
        store->now = faulty_leases::fault::fails;
      locks.reset();
    }
  };

  void begin(std::size_t number) {
    runtime().in_turn([&] {
      auto& one = parts[number];
      auto kind = kind_;
      if (leased_) {
        one.store = std::make_shared<faulty_leases>(store_);
        one.locks.emplace(runtime(), one.store,
                          leases_options{.node = "n" + std::to_string(number)});
        kind.locks = &*one.locks;
      }
      one.all.emplace(node(number), std::move(kind), "n" + std::to_string(number), &log);
    });
  }
  void kill(std::size_t number) {
    network().kill("n" + std::to_string(number)); // nobody hears of it any more
    runtime().in_turn([&] {
      if (parts[number].store) // nothing is given back
        parts[number].store->now = faulty_leases::fault::fails;
      parts[number].end();
    });
    runtime().settle();
    crash(number);
  }
  void start_again(std::size_t number) {
    restart(number);
    begin(number);
  }

  /// What came of a question.
  struct result {
    std::string text;
    std::int64_t number = 0;
    failure why;
    int times = 0;
    [[nodiscard]] bool ok() const { return times == 1 && !why; }
  };
  template <class T = std::string, class... Ts>
  std::shared_ptr<result> ask(std::size_t from, const std::string& key, duration timeout,
                              Ts... values) {
    auto got = std::make_shared<result>();
    runtime().in_turn([&] {
      troupe::ask<T>(runtime(), parts[from].all->get(key), timeout, values...)
        .add_both([got](outcome<T> what) {
          ++got->times;
          if (!what)
            got->why = what.error();
          else if constexpr (std::is_same_v<T, std::string>)
            got->text = *what;
          else
            got->number = *what;
        });
    });
    return got;
  }
  std::shared_ptr<result> add(std::size_t from, const std::string& key, std::string sender,
                              std::uint64_t n, duration timeout = 5s) {
    return ask<std::int64_t>(from, key, timeout, add_atom::value, std::move(sender), n);
  }
  std::string which(std::size_t from, const std::string& key) {
    const auto got =
      ask(from, key, 11s, which_atom::value); // a lease that nobody gave back takes its time
    (void)run_until([&] { return got->times > 0; }, 12s);
    return got->why ? got->why.message() : got->text;
  }
  std::size_t owner(const std::string& key) {
    return std::stoul(parts[0].all->where(key).substr(1));
  }
  /// Returns a key that has its place on this node, as node 0 sees it.
  std::string key_on(std::size_t number, int more = 0) {
    for (int i = 0;; ++i) {
      auto key = "key" + std::to_string(i);
      if (parts[0].all->where(key) == "n" + std::to_string(number) && more-- == 0)
        return key;
    }
  }
  sharded<tally>& all(std::size_t number) { return *parts[number].all; }

  entity_log log;
  std::deque<part> parts;

private:
  const std::shared_ptr<memory_leases> store_ = std::make_shared<memory_leases>();
  sharded_options kind_;
  const bool leased_;
};

} // namespace troupe::testing
