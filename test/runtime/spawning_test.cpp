// Actors that an actor spawns: who refers to them, how CAF counts them, and how they quit.

#include <troupe/runtime/basic_actor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_registry.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/testing/logged_errors.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::manual_runtime;

namespace {

using ask_atom = caf::atom_constant<caf::atom("ask")>;
using end_atom = caf::atom_constant<caf::atom("end")>;
using more_atom = caf::atom_constant<caf::atom("more")>;

/// Lives until it is told to end.
template <class Base>
class spawned_child : public Base {
public:
  spawned_child(caf::actor_config& cfg, std::shared_ptr<int> owned)
    : Base(cfg), owned_(std::move(owned)) {}
  caf::behavior make_behavior() override {
    return {[this](end_atom) {
      this->quit();
    }};
  }

private:
  std::shared_ptr<int> owned_;
};

/// Spawns so many, and keeps their handles if it is to.
template <class Child>
class spawning_parent : public floating_actor {
public:
  spawning_parent(caf::actor_config& cfg, std::shared_ptr<int> owned, std::vector<caf::actor>* kept)
    : floating_actor(cfg), owned_(std::move(owned)), kept_(kept) {}
  caf::behavior make_behavior() override {
    return {[this](more_atom, int count) {
      for (int i = 0; i < count; ++i) {
        const auto made = spawn<Child>(owned_);
        if (kept_ != nullptr)
          kept_->push_back(made);
        else
          send(made, end_atom::value);
      }
    }};
  }

private:
  std::shared_ptr<int> owned_;
  std::vector<caf::actor>* kept_;
};

std::size_t references(const caf::actor& to) {
  return caf::actor_cast<caf::strong_actor_ptr>(to)->strong_refs.load() - 1; // less this one
}

} // namespace

TEMPLATE_TEST_CASE("an actor that another spawned is referred to by handles and its queue only",
                   "[spawning]", floating_actor, pinned_actor) {
  const auto owned = std::make_shared<int>(1);
  std::vector<caf::actor> kept;
  manual_runtime rt;
  const auto parent = rt.spawn<spawning_parent<spawned_child<TestType>>>(owned, &kept);
  caf::anon_send(parent, more_atom::value, 3);
  rt.settle();
  REQUIRE(kept.size() == 3);
  const bool listed = std::is_same_v<TestType, pinned_actor>; // its loop has one, too
  CHECK(references(kept[0]) == (listed ? 2u : 1u));
  CHECK(owned.use_count() == 2 + 3);
  caf::anon_send(kept[0], end_atom::value);
  rt.settle();
  CHECK(references(kept[0]) == 1);
  kept.erase(kept.begin());
  CHECK(owned.use_count() == 2 + 2);
  if (!listed) {
    kept.pop_back(); // nobody can reach it
    CHECK(owned.use_count() == 2 + 1);
  }
  kept.clear();
}

TEST_CASE("actors that came and went are not counted as running behind a turn", "[spawning]") {
  const auto owned = std::make_shared<int>(1);
  manual_runtime rt;
  const auto& registry = rt.system().registry();
  const auto parent = rt.spawn<spawning_parent<spawned_child<floating_actor>>>(owned, nullptr);
  rt.settle();
  const auto before = registry.running();
  for (const int count : {1, 7, 500, 3, 250}) {
    caf::anon_send(parent, more_atom::value, count);
    rt.settle();
    CHECK(registry.running() == before);
    CHECK(owned.use_count() == 2);
  }
}

TEST_CASE("actors that live are counted as running", "[spawning]") {
  const auto owned = std::make_shared<int>(1);
  std::vector<caf::actor> kept;
  manual_runtime rt;
  const auto& registry = rt.system().registry();
  const auto parent = rt.spawn<spawning_parent<spawned_child<floating_actor>>>(owned, &kept);
  rt.settle();
  const auto before = registry.running();
  for (std::size_t round = 0; round < 3; ++round) {
    caf::anon_send(parent, more_atom::value, 10);
    for (std::size_t i = 0; i < kept.size(); i += 2) // in the same turn
      caf::anon_send(kept[i], end_atom::value);
    kept.clear();
    rt.settle();
    CHECK(registry.running()
          == before + 10); // none of those of the round before, nobody refers to them
  }
  kept.clear();
}

TEST_CASE("a weak reference tells the node of an actor when its runtime is gone", "[spawning]") {
  const auto owned = std::make_shared<int>(1);
  std::vector<caf::actor_addr> known;
  std::string node; // as text: nothing else refers to it
  {
    std::vector<caf::actor> kept;
    manual_runtime rt;
    node = to_string(rt.system().node());
    const auto parent = rt.spawn<spawning_parent<spawned_child<floating_actor>>>(owned, &kept);
    caf::anon_send(parent, more_atom::value, 1);
    rt.settle();
    REQUIRE(kept.size() == 1);
    for (const auto& one : {caf::actor_cast<caf::actor>(parent), kept[0]}) {
      CHECK(to_string(one.node()) == node);
      known.push_back(one.address());
    }
    kept.clear();
  }
  for (const auto& one : known) {
    CHECK(to_string(caf::actor_cast<caf::weak_actor_ptr>(one).get()->node()) == node);
    CHECK(to_string(one) == std::to_string(one.id()) + '@' + node);
  }
}

namespace {

/// Has quit, and waits for one more answer.
class quitter : public floating_actor {
public:
  quitter(caf::actor_config& cfg, caf::actor whom, std::string& got)
    : floating_actor(cfg), whom_(std::move(whom)), got_(got) {}
  caf::behavior make_behavior() override {
    return {
      [this](end_atom) {
        quit(caf::exit_reason::remote_link_unreachable);
        quit(caf::exit_reason::normal); // the first one counts
        request(whom_, caf::infinite, ask_atom::value).then([this](const std::string& answer) {
          got_ += answer;
        });
      },
      [this](int n) { got_ += std::to_string(n); },
      [this](ask_atom) -> std::string {
        got_ += "asked ";
        return "no";
      }};
  }
  void on_exit() override {
    got_ += " ended";
    floating_actor::on_exit();
  }

private:
  caf::actor whom_;
  std::string& got_;
};

/// Answers when it is told to.
class slow_one : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[this](ask_atom) {
              asked_ = make_response_promise();
              return asked_;
            },
            [this](end_atom) {
              asked_.deliver(std::string{"late"});
            }};
  }

private:
  caf::response_promise asked_;
};

/// Keeps what it is answered, and why those whom it monitors end.
class onlooker : public floating_actor {
public:
  onlooker(caf::actor_config& cfg, caf::actor whom, std::string& got)
    : floating_actor(cfg), whom_(std::move(whom)), got_(got) {
    set_down_handler([this](caf::down_msg& x) { got_ += "down: " + failure{x.reason}.message(); });
  }
  caf::behavior make_behavior() override {
    monitor(whom_);
    return {[this](ask_atom) {
      request(whom_, caf::infinite, ask_atom::value)
        .then([this](const std::string& answer) { got_ += answer; },
              [this](caf::error& e) {
                got_ += e == caf::sec::request_receiver_down ? "receiver down;" : "another error;";
              });
    }};
  }

private:
  caf::actor whom_;
  std::string& got_;
};

} // namespace

TEST_CASE("an actor that has quit takes nothing but the answers that it waits for", "[spawning]") {
  std::string got;
  std::string seen;
  manual_runtime rt;
  const auto slow = caf::actor_cast<caf::actor>(rt.spawn<slow_one>());
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<quitter>(slow, got));
  const auto other = rt.spawn<onlooker>(a, seen);
  caf::anon_send(a, 1);
  caf::anon_send(a, end_atom::value);
  caf::anon_send(a, 2);
  rt.settle();
  CHECK(got == "1");
  caf::anon_send(other, ask_atom::value);
  caf::anon_send(a, caf::exit_msg{{}, caf::exit_reason::user_shutdown});
  caf::anon_send(a, caf::down_msg{{}, caf::exit_reason::user_shutdown});
  caf::anon_send(a, caf::make_error(caf::sec::runtime_error));
  caf::anon_send(a, std::string{"nobody takes that"});
  rt.settle();
  CHECK(got == "1");
  CHECK(seen == "receiver down;");
  caf::anon_send(slow, end_atom::value);
  rt.settle();
  CHECK(got == "1late ended");
  CHECK_THAT(seen, Catch::Contains("down: ") && Catch::Contains("unreachable"));
  CHECK(rt.counters().at(0).unhandled_messages == 0);
}

TEST_CASE("an actor that quits with a message that it skips ends", "[spawning]") {
  struct skipper : floating_actor {
    skipper(caf::actor_config& cfg, bool& ended) : floating_actor(cfg), ended_(ended) {}
    caf::behavior make_behavior() override {
      return {[this](int) -> caf::result<void> {
        quit();
        return caf::skip();
      }};
    }
    void on_exit() override {
      ended_ = true;
      floating_actor::on_exit();
    }
    bool& ended_;
  };
  bool ended = false;
  manual_runtime rt;
  const auto a = rt.spawn<skipper>(ended);
  caf::anon_send(a, 1);
  rt.settle();
  CHECK(ended);
}

TEST_CASE("what an actor's handlers own goes when it quits", "[spawning]") {
  struct owner : floating_actor {
    owner(caf::actor_config& cfg, std::shared_ptr<int> value, caf::actor whom)
      : floating_actor(cfg), whom_(std::move(whom)) {
      set_down_handler([self = caf::strong_actor_ptr{ctrl()}, value](caf::down_msg&) {});
    }
    caf::behavior make_behavior() override {
      return {[this](end_atom) {
        quit();
        request(whom_, caf::infinite, ask_atom::value).then([](const std::string&) {});
      }};
    }
    caf::actor whom_;
  };
  const auto value = std::make_shared<int>(1);
  manual_runtime rt;
  const auto slow = caf::actor_cast<caf::actor>(rt.spawn<slow_one>());
  caf::anon_send(rt.spawn<owner>(value, slow), end_atom::value);
  rt.settle();
  CHECK(value.use_count() == 1);
  caf::anon_send(slow, end_atom::value);
  rt.settle();
}

TEST_CASE("an actor whose handlers are taken back has Troupe's again", "[spawning]") {
  struct changing : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override {
      set_default_handler(caf::drop);
      return {[this](more_atom) { set_default_handler(default_handler{}); },
              [](end_atom) {
                throw std::runtime_error("in vain");
              }};
    }
  };
  manual_runtime rt;
  const auto a = rt.spawn<changing>();
  caf::anon_send(a, 1);
  rt.settle();
  CHECK(rt.counters().at(0).unhandled_messages == 0);
  caf::anon_send(a, more_atom::value);
  caf::anon_send(a, 1);
  rt.settle();
  CHECK(rt.counters().at(0).unhandled_messages == 1);
  caf::anon_send(a, end_atom::value);
  rt.settle();
  CHECK(testing::logged_errors{rt}.flush().size() == 1);
}

TEST_CASE("handlers that an actor sets when it has quit are asked", "[spawning]") {
  struct changing : floating_actor {
    changing(caf::actor_config& cfg, caf::actor whom)
      : floating_actor(cfg), whom_(std::move(whom)) {}
    caf::behavior make_behavior() override {
      return {[this](end_atom) {
        quit();
        set_default_handler([](caf::scheduled_actor*, caf::message_view&) {
          return caf::result<caf::message>{caf::make_message(std::string{"of its own"})};
        });
        request(whom_, caf::infinite, ask_atom::value).then([](const std::string&) {});
      }};
    }
    caf::actor whom_;
  };
  std::string seen;
  manual_runtime rt;
  const auto slow = caf::actor_cast<caf::actor>(rt.spawn<slow_one>());
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<changing>(slow));
  const auto other = rt.spawn<onlooker>(a, seen);
  caf::anon_send(a, end_atom::value);
  rt.settle();
  caf::anon_send(other, ask_atom::value);
  rt.settle();
  CHECK(seen == "of its own");
  caf::anon_send(slow, end_atom::value);
  rt.settle();
}

TEST_CASE("an actor with a thread of its own that throws ends as all others do", "[spawning]") {
  struct thrower : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override {
      return {[](end_atom) {
        throw std::runtime_error("in vain");
      }};
    }
  };
  manual_runtime rt;
  testing::logged_errors errors{rt};
  std::string why;
  {
    caf::scoped_actor self{rt.system()};
    const auto a = rt.system().spawn<thrower, caf::detached>();
    self->monitor(a);
    caf::anon_send(a, end_atom::value);
    self->receive([&](const caf::down_msg& x) { why = failure{x.reason}.message(); });
  }
  CHECK(why == "in vain");
  CHECK(errors.flush().size() == 1);
}

TEST_CASE("actors that came and went are not counted by a loop that is busy without actors",
          "[spawning]") {
  const auto owned = std::make_shared<int>(1);
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  const auto& registry = rt.system().registry();
  const auto parent = rt.spawn<spawning_parent<spawned_child<floating_actor>>>(owned, nullptr);
  const auto before = registry.running();
  caf::anon_send(parent, more_atom::value, 50);
  std::size_t running = 0;
  int turns = 0;
  std::function<void()> work = [&] {
    if (++turns < 50)
      return static_cast<void>(rt.reactor().call_later(0s, work));
    running = registry.running();
    rt.stop();
  };
  rt.reactor().call_later(0s, work);
  rt.run();
  CHECK(owned.use_count() == 2); // the one that spawned them has it
  CHECK(running == before);
}

TEST_CASE("actors that came and went are not counted by a loop that is busy with others",
          "[spawning]") {
  class ticker : public floating_actor {
  public:
    ticker(caf::actor_config& cfg, std::function<bool()> tick)
      : floating_actor(cfg), tick_(std::move(tick)) {}
    caf::behavior make_behavior() override {
      return {[this](more_atom) {
        if (tick_())
          send(caf::actor{this}, more_atom::value);
      }};
    }

  private:
    std::function<bool()> tick_;
  };
  const auto owned = std::make_shared<int>(1);
  runtime rt{{.loops = 1, .messages_per_actor = 1, .install_signal_handlers = false}};
  const auto& registry = rt.system().registry();
  const auto parent = rt.spawn<spawning_parent<spawned_child<floating_actor>>>(owned, nullptr);
  std::size_t running = 0;
  int ticks = 0;
  const auto busy = rt.spawn<ticker>([&] {
    if (++ticks < 10'000)
      return true;
    running = registry.running();
    rt.stop();
    return false;
  });
  const auto before = registry.running();
  caf::anon_send(parent, more_atom::value, 50);
  caf::anon_send(busy, more_atom::value);
  rt.run();
  CHECK(owned.use_count() == 2); // the one that spawned them has it
  CHECK(running == before);
}
