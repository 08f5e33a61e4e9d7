// Pools: several actors that do the same work, behind a router.

#include <cstdio>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <troupe/actors/root_supervisor.hpp>
#include <troupe/actors/router.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/deferred_list.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;
using square_atom = caf::atom_constant<caf::atom("square")>;
using put_atom = caf::atom_constant<caf::atom("put")>;
using count_atom = caf::atom_constant<caf::atom("count")>;

// [worker]
class worker : public troupe::floating_actor {
public:
  worker(caf::actor_config& cfg, std::string name) : floating_actor(cfg), name_(std::move(name)) {
    troupe::bound_mailbox(*this, 1000);
  }
  caf::behavior make_behavior() override {
    return {[this](square_atom, int x) {
      return name_ + " says " + std::to_string(x * x);
    }};
  }

private:
  const std::string name_;
};
// [/worker]

// [workers]
troupe::deferred<void> square(troupe::runtime& rt) {
  const troupe::router workers{rt}; // one after the other
  for (const auto* const name : {"ann", "bob", "carol"})
    workers.join(rt.spawn<worker>(name));

  std::vector<troupe::deferred<std::string>> answers;
  for (int i = 1; i <= 4; ++i)
    answers.push_back(troupe::ask<std::string>(rt, workers, 5s, square_atom::value, i));
  for (const auto& answer : co_await troupe::gather_results(std::move(answers)))
    std::printf("%s\n", answer.c_str());
}
// [/workers]

// [shelf]
class shelf : public troupe::floating_actor {
public:
  shelf(caf::actor_config& cfg, std::string name) : floating_actor(cfg), name_(std::move(name)) {
    troupe::bound_mailbox(*this, 1000);
  }
  caf::behavior make_behavior() override {
    return {[this](put_atom, const std::string& key, int value) {
              things_[key] += value;
              return name_ + " has " + std::to_string(things_[key]) + " of " + key;
            },
            [this](count_atom) {
              return things_.size();
            }};
  }

private:
  const std::string name_;
  std::map<std::string, int> things_;
};
// [/shelf]

// [shelves]
troupe::deferred<void> store(troupe::runtime& rt) {
  troupe::router_options options;
  options.by = troupe::routing::consistent_hash;
  options.key = troupe::key_at<std::string>(1); // of ("put", "apples", 3), the second
  const troupe::router shelves{rt, options};

  const auto root = troupe::root_supervisor(rt);
  for (const std::string name : {"shelf 1", "shelf 2", "shelf 3"}) {
    troupe::child_spec spec;
    spec.id = name;
    spec.start = troupe::start_actor<shelf>(name);
    co_await root->start_child(troupe::member_of(shelves, std::move(spec)));
  }

  for (const std::string key : {"apples", "nuts", "apples", "lemons"})
    std::printf(
      "%s\n",
      (co_await troupe::ask<std::string>(rt, shelves, 5s, put_atom::value, key, 3)).c_str());
}
// [/shelves]

// [empty]
troupe::deferred<void> ask_nobody(troupe::runtime& rt) {
  const troupe::router workers{rt};
  co_await troupe::ask<std::string>(rt, workers, 5s, square_atom::value, 5)
    .add_callback([](const std::string&) {})
    .add_errback([](const troupe::failure& why) { std::printf("%s\n", why.message().c_str()); });
}
// [/empty]

int main(int argc, char** argv) {
  troupe::runtime rt{{.loops = 1}};
  const std::string which = argc > 1 ? argv[1] : "";
  return troupe::react(rt, which == "shelves" ? store : which == "empty" ? ask_nobody : square);
}
