#include <troupe/actors/state_machine.hpp>

#include <map>

#include <caf/send.hpp>

#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "support/catch.hpp"
#include "support/oracle.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

namespace {

using dial_atom = caf::atom_constant<caf::atom("dial")>;
using say_atom = caf::atom_constant<caf::atom("say")>;
using bell_atom = caf::atom_constant<caf::atom("bell")>;
using over_atom = caf::atom_constant<caf::atom("over")>;

/// A line that has to be dialled before anything can be said, and that hangs up when nobody talks.
template <class Base>
class phone : public state_machine<Base> {
public:
  using machine = state_machine<Base>;
  phone(caf::actor_config& cfg, std::string* told) : machine(cfg), told_(*told) {
    bound_mailbox(*this, 3);
  }
  caf::behavior make_behavior() override { return this->start_in(&phone::idle); }

private:
  caf::behavior idle() {
    told_ += " idle";
    return {
      [this](dial_atom) { this->next_state(&phone::dialling); },
      [this](say_atom, const std::string&) -> caf::result<std::string> { return this->postpone(); },
      [this](bell_atom) { told_ += " ring"; },
      [this](over_atom) {
        this->next_state(&phone::idle);
      }};
  }
  caf::behavior dialling() {
    told_ += " dialling";
    this->state_timeout(3s, [this] { this->next_state(&phone::talking); });
    return {
      [this](say_atom, const std::string&) -> caf::result<std::string> { return this->postpone(); },
      [this](bell_atom) { told_ += " busy"; },
      [this](over_atom) {
        this->next_state(&phone::idle);
      }};
  }
  caf::behavior talking() {
    told_ += " talking";
    this->event_timeout(5s, [this] { this->next_state(&phone::idle); });
    return {[this](say_atom, const std::string& text) {
              told_ += " " + text;
              this->event_timeout(5s, [this] { this->next_state(&phone::idle); });
              return text + "!";
            },
            [this](bell_atom) { return this->postpone(); },
            [this](dial_atom) {
              told_ += " on"; // an event that sets no new time
            },
            [this](over_atom) {
              this->next_state(&phone::idle);
            }};
  }

  std::string& told_;
};

using floating_phone = phone<floating_actor>;
using pinned_phone = phone<pinned_actor>;

template <class Phone>
struct line {
  std::string told; // outlives the runtime
  manual_runtime rt;
  caf::actor it = caf::actor_cast<caf::actor>(rt.spawn<Phone>(&told));

  line() { rt.settle(); }
  template <class... Args>
  void tell(const Args&... args) {
    rt.in_turn([&] { caf::anon_send(it, args...); });
    rt.settle();
  }
  std::string look() { return std::exchange(told, {}); }
};

} // namespace

TEMPLATE_TEST_CASE("a state is entered, left at its time-out, and has a behavior of its own",
                   "[state_machine]", floating_phone, pinned_phone) {
  line<TestType> l;
  CHECK(l.look() == " idle");
  l.tell(bell_atom::value);
  CHECK(l.look() == " ring");
  l.tell(dial_atom::value);
  l.tell(bell_atom::value);
  CHECK(l.look() == " dialling busy");
  l.rt.advance(2999ms);
  CHECK(l.look().empty());
  l.rt.advance(1ms);
  CHECK(l.look() == " talking");
}

TEMPLATE_TEST_CASE("the time-out of a state that was left never comes", "[state_machine]",
                   floating_phone, pinned_phone) {
  line<TestType> l;
  l.tell(dial_atom::value);
  l.rt.advance(2s);
  l.tell(over_atom::value);
  l.tell(dial_atom::value);
  CHECK(l.look() == " idle dialling idle dialling");
  l.rt.advance(2999ms); // counted from the second time
  CHECK(l.look().empty());
  l.rt.advance(1ms);
  CHECK(l.look() == " talking");
}

TEMPLATE_TEST_CASE("what is postponed comes in order, before newer messages", "[state_machine]",
                   floating_phone, pinned_phone) {
  line<TestType> l;
  l.tell(say_atom::value, std::string{"one"});
  l.tell(say_atom::value, std::string{"two"});
  CHECK(l.look() == " idle");
  l.tell(dial_atom::value);
  l.rt.advance(3s); // the time-out alone, with no message behind it
  l.rt.settle();
  CHECK(l.look() == " dialling talking one two");
  l.tell(over_atom::value);
  l.rt.in_turn([&] {
    caf::anon_send(l.it, say_atom::value, std::string{"three"});
    caf::anon_send(l.it, dial_atom::value);
    caf::anon_send(l.it, say_atom::value, std::string{"four"});
  });
  l.rt.settle();
  l.rt.advance(2999ms);
  caf::anon_send(l.it, say_atom::value, std::string{"five"}); // waits when the time-out comes
  l.rt.advance(1ms);
  l.rt.settle();
  CHECK(l.look() == " idle dialling talking three four five");
}

TEMPLATE_TEST_CASE("a request that was postponed is answered to who asked", "[state_machine]",
                   floating_phone, pinned_phone) {
  line<TestType> l;
  std::string answer;
  l.rt.in_turn([&] {
    ask<std::string>(l.rt, l.it, 1h, say_atom::value, std::string{"hello"})
      .add_callback([&](const std::string& a) { answer = a; });
  });
  l.rt.settle();
  l.tell(dial_atom::value);
  CHECK(answer.empty());
  l.rt.advance(3s);
  l.rt.settle();
  CHECK(answer == "hello!");
}

TEMPLATE_TEST_CASE("what is postponed counts for the bound, and is refused at the end",
                   "[state_machine]", floating_phone, pinned_phone) {
  line<TestType> l;
  std::vector<failure> why;
  l.rt.in_turn([&] {
    for (int i = 0; i < 5; ++i)
      ask<std::string>(l.rt, l.it, wait_for_ever, say_atom::value, std::string{"x"})
        .add_both([&](outcome<std::string> o) { why.push_back(o.error()); });
  });
  l.rt.settle();
  REQUIRE(why.size() == 2);
  CHECK(why[0].check(errc::queue_overflow));
  CHECK(why[1].check(errc::queue_overflow));
  const auto dead = l.rt.counters().at(0).dead_letters;
  caf::anon_send_exit(l.it, caf::exit_reason::user_shutdown);
  l.rt.settle();
  REQUIRE(why.size() == 5);
  for (std::size_t i = 2; i < 5; ++i)
    CHECK(why[i].check(errc::actor_down));
  CHECK(l.rt.counters().at(0).dead_letters == dead + 3);
}

TEMPLATE_TEST_CASE("quiet is when no message is handled; what is postponed is none",
                   "[state_machine]", floating_phone, pinned_phone) {
  line<TestType> l;
  l.tell(dial_atom::value);
  l.rt.advance(3s);
  l.rt.advance(4s);
  l.tell(say_atom::value, std::string{"hm"}); // sets the time anew
  CHECK(l.look() == " idle dialling talking hm");
  l.rt.advance(4999ms);
  l.tell(bell_atom::value); // postponed
  CHECK(l.look().empty());
  l.rt.advance(1ms);
  l.rt.settle();
  CHECK(l.look() == " idle ring");
  l.tell(dial_atom::value);
  l.rt.advance(3s);
  l.tell(dial_atom::value); // an event: the quiet time is over, for good
  CHECK(l.look() == " dialling talking on");
  l.rt.advance(1h);
  CHECK(l.look().empty());
}

TEMPLATE_TEST_CASE("that what was postponed is tried again does not end the quiet",
                   "[state_machine]", floating_actor, pinned_actor) {
  class patient : public state_machine<TestType> {
  public:
    patient(caf::actor_config& cfg, std::string* told)
      : state_machine<TestType>(cfg), told_(*told) {}
    caf::behavior make_behavior() override { return this->start_in(&patient::waiting); }

  private:
    caf::behavior waiting() {
      this->event_timeout(5s, [this] { told_ += "quiet"; });
      return {[this](int) { return this->postpone(); },
              [this](over_atom) {
                this->next_state(&patient::waiting);
              }};
    }
    std::string& told_;
  };
  line<patient> l;
  l.tell(1);
  l.tell(over_atom::value);
  l.rt.advance(4999ms);
  CHECK(l.look().empty());
  l.rt.advance(1ms);
  CHECK(l.look() == "quiet");
}

TEST_CASE("a message that changes the state and is postponed comes between older and newer ones",
          "[state_machine]") {
  class turnstile : public state_machine<> {
  public:
    turnstile(caf::actor_config& cfg, std::string* told) : state_machine(cfg), told_(*told) {}
    caf::behavior make_behavior() override { return start_in(&turnstile::shut); }

  private:
    caf::behavior shut() {
      return {[this](const std::string& text) {
        if (text == "c")
          next_state(&turnstile::open);
        return postpone();
      }};
    }
    caf::behavior open() {
      return {[this](const std::string& text) {
        told_ += text;
      }};
    }
    std::string& told_;
  };
  line<turnstile> l;
  l.rt.in_turn([&] {
    for (const auto* const text : {"a", "b", "c", "d", "e"})
      caf::anon_send(l.it, std::string{text});
  });
  l.rt.settle();
  CHECK(l.look() == "abcde");
}

TEST_CASE("who changes its state and postpones for ever does not keep the loop",
          "[state_machine]") {
  class undecided : public state_machine<> {
  public:
    undecided(caf::actor_config& cfg, std::string* told) : state_machine(cfg), told_(*told) {}
    caf::behavior make_behavior() override { return start_in(&undecided::left); }

  private:
    caf::behavior left() {
      told_ = "left";
      return {[this](int) {
        next_state(&undecided::right);
        return postpone();
      }};
    }
    caf::behavior right() {
      return {[this](int) {
        next_state(&undecided::left);
        return postpone();
      }};
    }
    std::string& told_;
  };
  line<undecided> l;
  l.tell(1);
  CHECK(l.look() == "left");
  bool called = false;
  l.rt.reactor().call_later(1s, [&] { called = true; });
  l.rt.advance(1s);
  CHECK(called);
  caf::anon_send_exit(l.it, caf::exit_reason::user_shutdown);
  l.rt.settle();
}

TEST_CASE("a state that goes on to another at once is not come back to", "[state_machine]") {
  class hasty : public state_machine<> {
  public:
    hasty(caf::actor_config& cfg, std::string* told) : state_machine(cfg), told_(*told) {}
    caf::behavior make_behavior() override { return start_in(&hasty::first); }

  private:
    caf::behavior first() {
      next_state(&hasty::second);
      return tells("first");
    }
    caf::behavior second() { return tells("second"); }
    caf::behavior third() {
      next_state(&hasty::fourth);
      return tells("third");
    }
    caf::behavior fourth() {
      told_ += in_state(&hasty::fourth) ? "+" : "-";
      return tells("fourth");
    }
    caf::behavior tells(const char* name) {
      return {[this, name](int) {
        told_ += name;
        next_state(&hasty::third);
      }};
    }
    std::string& told_;
  };
  line<hasty> l;
  l.tell(1);
  l.tell(2);
  CHECK(l.look() == "second+fourth+");
}

TEST_CASE("what a pinned actor skipped is tried when it says so", "[state_machine]") {
  class door : public pinned_actor {
  public:
    door(caf::actor_config& cfg, std::string* told) : pinned_actor(cfg), told_(*told) {
      set_default_handler(caf::skip);
    }
    caf::behavior make_behavior() override {
      return {[](over_atom) {
      }};
    }
    void open() {
      enter([this] {
        become([this](const std::string& text) { told_ += text; });
        retry_skipped(*this);
      });
    }

  private:
    std::string& told_;
  };
  line<door> l;
  for (const auto* const text : {"a", "b", "c"})
    l.tell(std::string{text});
  CHECK(l.look().empty());
  l.rt.in_turn([&] {
    caf::anon_send(l.it, std::string{"d"});
    static_cast<door*>(caf::actor_cast<caf::abstract_actor*>(l.it))->open();
  });
  l.rt.settle();
  CHECK(l.look() == "abcd");
}

TEMPLATE_TEST_CASE("a call of retry_skipped with nothing skipped is forgotten", "[state_machine]",
                   pinned_actor, floating_actor) {
  class door : public TestType {
  public:
    door(caf::actor_config& cfg, std::string* told) : TestType(cfg), told_(*told) {}
    caf::behavior make_behavior() override {
      return {[this](over_atom) { retry_skipped(*this); },
              [this](const std::string& text) -> caf::result<void> {
                told_ += text;
                return caf::skip;
              }};
    }

  private:
    std::string& told_;
  };
  line<door> l;
  l.tell(over_atom::value);
  CHECK(l.look().empty());
  l.tell(std::string{"a"});
  CHECK(l.look() == "a"); // tried once
}
