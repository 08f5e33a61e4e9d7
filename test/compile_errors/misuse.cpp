// Does not compile: each line with a comment `error:` is refused with exactly that one error, whose
// trace names the line. `compile_errors_check.py` compares.

#include <chrono>
#include <string>
#include <tuple>

#include <caf/typed_actor.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/actors/typed.hpp>
#include <troupe/net/builder.hpp>
#include <troupe/net/client_factory.hpp>
#include <troupe/net/datagram_protocol.hpp>
#include <troupe/net/line_receiver.hpp>
#include <troupe/net/reconnecting_client_factory.hpp>
#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/runtime.hpp>

class no_actor {};

// Some are templates, for the compiler tells of each class once.
template <int>
class no_lines : public troupe::line_receiver { // overrides nothing
public:
  using line_receiver::line_receiver;
};

class named : public troupe::protocol {
public:
  named(caf::actor_config& cfg, std::string name) : protocol(cfg), name_(std::move(name)) {}

private:
  std::string name_;
};

class floater : public troupe::floating_actor {
public:
  floater(caf::actor_config& cfg, int) : floating_actor(cfg) {}
  caf::behavior make_behavior() override { return {}; }
};

class packets : public troupe::datagram_protocol {
public:
  packets(caf::actor_config& cfg, int) : datagram_protocol(cfg) {}
  void datagram_received(troupe::bytes_view, const troupe::net_address&) override {}
};

template <int>
class builds_nothing : public troupe::factory {
public:
  using factory::factory;
};

template <int>
struct no_message { // has no inspect()
  int value = 0;
};

using doubler = caf::typed_actor<caf::replies_to<int>::with<int>>;

class takes_anything : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return troupe::handlers(*this, [](no_message<1>) {}); // error: a handler takes what cannot
  }
};

using taker = caf::typed_actor<caf::replies_to<int>::with<int>, caf::reacts_to<double>>;

void misuse_of_typed_handlers(troupe::floating_actor& self) {
  using namespace troupe;
  const auto twice = [](int x) {
    return x * 2;
  };
  const auto half = [](double x) {
    return x / 2;
  };
  const auto text = [](int x) {
    return std::to_string(x);
  };
  std::ignore = typed_handlers<doubler>(self, half); // error: that the handle does not have
  std::ignore = typed_handlers<doubler>(self, text); // error: does not answer with what
  std::ignore = typed_handlers<taker>(self, twice);  // error: has no handler, or two
}

troupe::deferred<int> awaits(troupe::deferred<int> d) {
  const int value = co_await d; // error: write co_await std::move(d)
  co_return value;
}

void misuse_of_messages(troupe::runtime& rt, const caf::actor& to, const doubler& typed) {
  using namespace troupe;
  using namespace std::chrono_literals;
  std::ignore = build<no_actor>();                      // error: derived from troupe::protocol
  std::ignore = ask<no_message<4>>(rt, to, 1s, 1);      // error: a T cannot be part of a message
  std::ignore = ask<int>(rt, typed, 1s, std::string{}); // error: has no handler for these values
  std::ignore = ask<std::string>(rt, typed, 1s, 1);     // error: does not answer these values
  rt.names().get("users").send(no_message<5>{});        // error: one of these values cannot be
}

void misuse_of_deferreds(troupe::deferred<int> d) {
  using namespace troupe;
  const auto to_text = [](int n) {
    return std::to_string(n);
  };
  d.add_callback(to_text);       // error: changes the type of what follows
  promise<deferred<int>> nested; // error: cannot be a deferred or a failure
}

void misuse(troupe::runtime& rt) {
  using namespace troupe;
  std::ignore = factory::for_protocol<no_actor>();           // error: derived from troupe::protocol
  std::ignore = factory::for_protocol<no_lines<1>>();        // error: abstract
  std::ignore = factory::for_protocol<named>();              // error: constructor
  std::ignore = factory::for_protocol<named>(1, 2);          // error: constructor
  std::ignore = factory::of<builds_nothing<1>>();            // error: abstract
  std::ignore = factory::of<named>("ann");                   // error: derived from troupe::factory
  std::ignore = client_factory::for_protocol<floater>(1);    // error: derived from troupe::protocol
  std::ignore = client_factory::for_protocol<no_lines<2>>(); // error: abstract
  std::ignore =
    client_factory::of<builds_nothing<2>>(); // error: derived from troupe::client_factory
  std::ignore = reconnecting_client_factory::for_protocol<named>({}, 3); // error: constructor
  std::ignore =
    datagram_protocol::of<named>("ann");          // error: derived from troupe::datagram_protocol
  std::ignore = datagram_protocol::of<packets>(); // error: constructor
  std::ignore = start_actor<no_actor>();          // error: is no actor
  std::ignore = start_actor<floater>("text");     // error: constructor
  rt.spawn<no_actor>();                           // error: is no actor
  rt.spawn<floater>();                            // error: constructor
  rt.spawn_on<floater>(0, 1);                     // error: only a troupe::pinned_actor
  rt.spawn_on<named>(0, 1.5);                     // error: constructor
}

// And these are taken.
void use(troupe::runtime& rt) {
  using namespace troupe;
  std::ignore = factory::for_protocol<named>("ann");
  std::ignore = client_factory::for_protocol<named>(std::string{"ann"});
  std::ignore = datagram_protocol::of<packets>(1);
  std::ignore = start_actor<floater>(1);
  rt.spawn<floater>(1);
  rt.spawn_on<named>(0, "ann");
}
