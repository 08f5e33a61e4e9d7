// Actors: state that only one piece of code at a time can touch, reached by messages.

#include <cstdio>
#include <map>
#include <string>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/react.hpp>

using namespace std::chrono_literals;
using troupe::ask;
using troupe::deferred;

// [messages]
using put_atom = caf::atom_constant<caf::atom("put")>;
using get_atom = caf::atom_constant<caf::atom("get")>;
using divide_atom = caf::atom_constant<caf::atom("divide")>;
// [/messages]

// [store]
class store : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return troupe::handlers(*this, &store::put, &store::get);
  }

private:
  void put(put_atom, const std::string& key, int value) { values_[key] = value; }

  // To refuse is no crash: the failure is the answer, and the actor goes on.
  troupe::outcome<int> get(get_atom, const std::string& key) const {
    const auto found = values_.find(key);
    if (found == values_.end())
      return troupe::failure{troupe::errc::invalid_argument, "nothing is stored under " + key};
    return found->second;
  }

  std::map<std::string, int> values_; // needs no lock
};
// [/store]

// [calculator]
/// Asks another actor while it answers.
class calculator : public troupe::floating_actor {
public:
  calculator(caf::actor_config& cfg, caf::actor values)
    : floating_actor(cfg), values_(std::move(values)) {}

  caf::behavior make_behavior() override { return troupe::handlers(*this, &calculator::divide); }

private:
  // A coroutine takes its parameters by value. Others are answered while it waits.
  deferred<int> divide(divide_atom, std::string a, std::string b) {
    const int x = co_await ask<int>(*this, values_, 1s, get_atom::value, a);
    const int y = co_await ask<int>(*this, values_, 1s, get_atom::value, b);
    if (y == 0)
      co_return troupe::failure{troupe::errc::invalid_argument, b + " is zero"};
    co_return x / y;
  }

  const caf::actor values_;
};
// [/calculator]

// [send]
deferred<void> send_and_ask(troupe::runtime& rt) {
  const auto values = rt.spawn<store>();
  caf::anon_send(values, put_atom::value, std::string{"six"}, 6); // no answer is wanted
  caf::anon_send(values, put_atom::value, std::string{"two"}, 2);

  const int six = co_await ask<int>(rt, values, 1s, get_atom::value, std::string{"six"});
  std::printf("six is %d\n", six);

  const auto quotients = rt.spawn<calculator>(values);
  const int three = co_await ask<int>(rt, quotients, 1s, divide_atom::value, std::string{"six"},
                                      std::string{"two"});
  std::printf("six by two is %d\n", three);
}
// [/send]

// [failing]
deferred<void> fail_to_ask(troupe::runtime& rt) {
  const auto values = rt.spawn<store>();
  const auto tell = [](const troupe::failure& why) {
    std::printf("%s\n", why.message().c_str());
  };

  co_await ask<int>(rt, values, 1s, get_atom::value, std::string{"ten"})
    .add_callback([](int) {})
    .add_errback(tell);
  co_await ask<int>(rt, values, 1s, get_atom::value, 10)
    .add_callback([](int) {})
    .add_errback([](const troupe::failure& why) {
      std::printf("no handler for an int: %s\n",
                  why.check(troupe::errc::no_handler) ? "true" : "false");
    });

  caf::anon_send_exit(values, caf::exit_reason::user_shutdown);
  co_await ask<int>(rt, values, 1s, get_atom::value, std::string{"six"})
    .add_callback([](int) {})
    .add_errback([](const troupe::failure& why) {
      std::printf("its end: %s\n", why.check(troupe::errc::actor_down) ? "true" : "false");
    });
}
// [/failing]

// [names]
deferred<void> by_name(troupe::runtime& rt) {
  if (!rt.names().put("values", rt.spawn<store>()))
    co_return;
  const troupe::named_actor values = rt.names().get("values"); // good through restarts
  values.send(put_atom::value, std::string{"one"}, 1);
  const int one = co_await ask<int>(rt, values, 1s, get_atom::value, std::string{"one"});
  std::printf("one is %d\n", one);
  co_await ask<int>(rt, rt.names().get("nobody"), 1s, get_atom::value, std::string{"one"})
    .add_callback([](int) {})
    .add_errback([](const troupe::failure& why) { std::puts(why.message().c_str()); });
}
// [/names]

int main(int, char** argv) {
  const std::string what = argv[1];
  troupe::runtime rt;
  if (what == "send")
    return troupe::react(rt, send_and_ask);
  if (what == "failing")
    return troupe::react(rt, fail_to_ask);
  return troupe::react(rt, by_name);
}
