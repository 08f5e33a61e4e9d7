// Messages that are made in the mailbox's element, and the memory of messages and actors.

#include <troupe/runtime/detail/local_message.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <caf/logger.hpp>
#include <caf/send.hpp>
#include <caf/typed_actor.hpp>

#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

namespace {

/// Says how many of it there are, in messages as elsewhere.
struct counted {
  std::shared_ptr<int> alive;
};

/// More than any allocator gives without being asked.
struct alignas(64) wide {
  std::int64_t x;
};

} // namespace

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(counted)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(wide)

namespace {

using namespace troupe;
using testing::manual_runtime;

/// Runs what the test says as an actor.
template <class Base>
class doer : public Base {
public:
  doer(caf::actor_config& cfg, std::vector<std::string>& got) : Base(cfg), got_(got) {}
  caf::behavior make_behavior() override {
    return {
      [this](const std::string& text) { got_.push_back(text); },
      [this](const std::string& text, std::int64_t x) {
        got_.push_back(text + std::to_string(x));
        return x + 1;
      },
      [this](std::int64_t x) { got_.push_back(std::to_string(x)); },
      [this](const counted& c) {
        got_.push_back("counted " + std::to_string(c.alive.use_count()));
      },
      [this](const wide& w) {
        got_.push_back(reinterpret_cast<std::uintptr_t>(&w) % alignof(wide) == 0 ? "aligned"
                                                                                 : "not");
      },
    };
  }

private:
  std::vector<std::string>& got_;
};

using floating_doer = doer<floating_actor>;
using pinned_doer = doer<pinned_actor>;

/// Sends so many numbers in a turn, and some to itself.
class much_sender : public floating_actor {
public:
  much_sender(caf::actor_config& cfg, caf::actor to, int& ended)
    : floating_actor(cfg), to_(std::move(to)), ended_(ended) {}
  ~much_sender() override { ++ended_; }
  caf::behavior make_behavior() override {
    return {
      [this](int count) {
        for (std::int64_t i = 0; i < count; ++i) {
          send(to_, i);
          if (i % 10 == 0)
            send(caf::actor{this}, i);
        }
      },
      [](std::int64_t) {},
    };
  }

private:
  caf::actor to_;
  int& ended_;
};

template <class A>
A& object_of(const caf::actor& handle) {
  return *static_cast<A*>(caf::actor_cast<caf::abstract_actor*>(handle));
}

} // namespace

TEST_CASE("a local message is what CAF's own would be") {
  auto x = troupe::detail::make_local_message(nullptr, caf::make_message_id(), "text", 7, true);
  CHECK(x->content().size() == 3);
  CHECK(x->content().match_elements<std::string, int, bool>());
  CHECK(x->content().type_token() == caf::make_type_token<std::string, int, bool>());
  CHECK_FALSE(x->content().shared());
  const auto copy = x->copy_content_to_message();
  CHECK(caf::to_string(copy) == R"(("text", 7, true))");
  CHECK(x->content().get_as<std::string>(0) == "text");
  const auto moved = x->move_content_to_message();
  CHECK(caf::to_string(moved) == R"(("text", 7, true))");
  CHECK(x->content().get_as<std::string>(0).empty());
  CHECK_FALSE(x->is_high_priority());
  CHECK(troupe::detail::make_local_message(nullptr,
                                           caf::make_message_id(caf::message_priority::high), 1)
          ->is_high_priority());
}

TEST_CASE("a message in an envelope is what CAF's own would be") {
  const auto alive = std::make_shared<int>();
  auto content = caf::make_message(std::string{"text"}, counted{alive});
  CHECK(alive.use_count() == 2);
  manual_runtime rt;
  std::vector<std::string> got;
  const auto from = caf::actor_cast<caf::strong_actor_ptr>(rt.spawn<floating_doer>(got));
  rt.settle();
  const auto references = from->strong_refs.load();
  const auto id = caf::make_message_id(caf::message_priority::high);
  {
    const caf::mailbox_element_ptr x{
      new troupe::detail::message_envelope(caf::strong_actor_ptr{from}, id, caf::message{content})};
    CHECK(x->sender == from);
    CHECK(x->mid == id);
    CHECK(x->is_high_priority());
    CHECK(x->content().size() == 2);
    CHECK(x->content().get_as<std::string>(0) == "text");
    CHECK(x->content().shared());
    CHECK(x->copy_content_to_message().cvals() == content.cvals());
    CHECK(x->move_content_to_message().cvals() == content.cvals());
    CHECK(x->content().size() == 2); // it may be asked again
    x->stages.push_back(from);
    content.reset();
    CHECK_FALSE(x->content().shared());
    CHECK(from->strong_refs.load() == references + 2);
  }
  CHECK(alive.use_count() == 1);
  CHECK(from->strong_refs.load() == references);
}

TEST_CASE("which messages are made in place") {
  using troupe::detail::makes_local_message;
  STATIC_REQUIRE(makes_local_message<caf::actor, int>);
  STATIC_REQUIRE(makes_local_message<caf::actor, const char*, caf::actor>);
  STATIC_REQUIRE(makes_local_message<caf::actor, caf::message, int>);
  STATIC_REQUIRE_FALSE(makes_local_message<caf::actor, caf::message>);
  STATIC_REQUIRE_FALSE(makes_local_message<caf::actor, caf::message&>);
  STATIC_REQUIRE_FALSE(makes_local_message<caf::group, int>);
  STATIC_REQUIRE_FALSE(makes_local_message<caf::actor, wide>);
}

TEST_CASE("a message that is handled or dropped gives back what it has") {
  std::vector<std::string> got;
  const auto alive = std::make_shared<int>();
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<floating_doer>(got));
  const auto b = caf::actor_cast<caf::actor>(rt.spawn<pinned_doer>(got));
  rt.settle();
  const auto references = caf::actor_cast<caf::strong_actor_ptr>(a)->strong_refs.load();
  rt.in_turn([&] { object_of<floating_doer>(a).send(b, counted{alive}); });
  rt.settle();
  CHECK(got == std::vector<std::string>{"counted 2"});
  CHECK(alive.use_count() == 1);
  {
    const auto dropped = troupe::detail::make_local_message(
      caf::actor_cast<caf::strong_actor_ptr>(a), caf::make_message_id(), counted{alive});
    dropped->stages.push_back(caf::actor_cast<caf::strong_actor_ptr>(a));
    CHECK(alive.use_count() == 2);
    CHECK(caf::actor_cast<caf::strong_actor_ptr>(a)->strong_refs.load() > references);
  }
  CHECK(alive.use_count() == 1);
  caf::anon_send_exit(b, caf::exit_reason::user_shutdown);
  rt.settle();
  rt.in_turn([&] { object_of<floating_doer>(a).send(b, counted{alive}); }); // it has ended
  rt.settle();
  CHECK(alive.use_count() == 1);
  CHECK(caf::actor_cast<caf::strong_actor_ptr>(a)->strong_refs.load() == references);
}

TEST_CASE("who sends much has between turns the references that there are, and ends without them") {
  std::vector<std::string> got;
  int ended = 0;
  manual_runtime rt;
  const auto to = caf::actor_cast<caf::actor>(rt.spawn<pinned_doer>(got));
  auto one = caf::actor_cast<caf::strong_actor_ptr>(rt.spawn<much_sender>(to, ended));
  auto other = caf::actor_cast<caf::strong_actor_ptr>(rt.spawn<much_sender>(to, ended));
  rt.settle();
  const auto references = one->strong_refs.load();
  std::size_t sent = 0;
  for (const int count : {0, 1, 2, 3, 4, 5, 64, 65, 1'000}) {
    for (int i = 0; i < 3; ++i)
      for (const auto& from : {one, other}) {
        caf::anon_send(caf::actor_cast<caf::actor>(from), count);
        sent += static_cast<std::size_t>(count);
      }
    rt.settle(1'000);
    CHECK(got.size() == sent);
    CHECK(one->strong_refs.load() == references);
    CHECK(other->strong_refs.load() == references);
  }
  caf::anon_send(caf::actor_cast<caf::actor>(one), 100);
  one = nullptr;
  rt.settle(1'000);
  CHECK(ended == 1);
  other = nullptr;
  CHECK(ended == 2);
}

TEMPLATE_TEST_CASE("send takes what CAF's takes, in order", "[local_message]", floating_doer,
                   pinned_doer) {
  std::vector<std::string> got;
  manual_runtime rt;
  const auto a = caf::actor_cast<caf::actor>(rt.spawn<TestType>(got));
  const auto b = caf::actor_cast<caf::actor>(rt.spawn<TestType>(got));
  rt.settle();
  rt.in_turn([&] {
    using typed = caf::typed_actor<caf::reacts_to<std::string>>;
    auto& self = object_of<TestType>(a);
    self.send(b, "one");
    self.send(b, "two ", std::int64_t{2}); // who sends gets what that returns
    self.send(b, caf::make_message("three"));
    self.send(&object_of<TestType>(b), std::string{"four"});
    self.send(caf::actor_cast<typed>(b), "five");
    self.send(caf::actor{}, "nobody");
    self.send(b, wide{1});
    self.template send<caf::message_priority::high>(b, "first");
    self.send(caf::group{}, "nobody is in it");
  });
  rt.settle();
  CHECK(
    got
    == std::vector<std::string>{"first", "one", "two 2", "three", "four", "five", "aligned", "3"});
}

TEST_CASE("an actor's memory is used again once nothing refers to it") {
  struct small : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override { return {}; }
    std::array<char, 700> padding{};
  };
  const runtime other{{.loops = GENERATE(1u, 2u), .install_signal_handlers = false}};
  manual_runtime rt;
  const auto spawn_one = [&] {
    auto a = caf::actor_cast<caf::strong_actor_ptr>(rt.runtime::spawn<small>());
    rt.settle(); // it ends: it has no behavior
    return a;
  };
  const auto size = troupe::detail::size_of_actor_block(sizeof(caf::actor_storage<small>));
  REQUIRE(size <= troupe::detail::largest_cached_block);
  auto first = spawn_one();
  const auto* const memory = first.get();
  caf::weak_actor_ptr weak{first.get(), true};
  const auto free_before = troupe::detail::count_free_blocks(size).here;
  first.reset();
  CHECK(troupe::detail::count_free_blocks(size).here == free_before); // the block is there still
  CHECK_FALSE(weak.lock());
  weak.reset();
  troupe::detail::give_block(troupe::detail::take_block(40), 40);
  if (troupe::detail::count_free_blocks(40).here == 0)
    return; // none is kept, under the address sanitizer
  CHECK(troupe::detail::count_free_blocks(size).here == free_before + 1);
  CHECK(spawn_one().get() == memory);
}

TEST_CASE("an actor whose constructor throws gives its memory back") {
  struct failing : floating_actor {
    explicit failing(caf::actor_config& cfg) : floating_actor(cfg) {
      throw std::runtime_error("refused");
    }
    std::array<char, 720> padding{};
  };
  manual_runtime rt;
  for (int i = 0; i < 3; ++i)
    CHECK_THROWS(rt.runtime::spawn<failing>());
  const auto size = troupe::detail::size_of_actor_block(sizeof(caf::actor_storage<failing>));
  CHECK(troupe::detail::count_free_blocks(size).here <= 1);
}

TEST_CASE("where there are several loops, floating actors share no line of the cache") {
  struct uneven : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override {
      return {[](int) {
      }};
    }
    std::array<char, 24> more{};
  };
  constexpr auto size = sizeof(caf::actor_storage<uneven>);
  manual_runtime rt;
  const auto make = [&] {
    return caf::actor_cast<caf::strong_actor_ptr>(rt.runtime::spawn<uneven>());
  };
  std::vector<caf::strong_actor_ptr> all{make()}; // which has what it got when it ends
  const runtime several{{.loops = 2, .install_signal_handlers = false}};
  std::vector<std::uintptr_t> at;
  for (int i = 0; i < 20; ++i) {
    all.push_back(make());
    at.push_back(reinterpret_cast<std::uintptr_t>(all.back().get()));
  }
  if (troupe::detail::size_of_actor_block(size) > size) // not under the address sanitizer
    CHECK(std::all_of(at.begin(), at.end(), [](auto x) { return x % 64 == 0; }));
  std::sort(at.begin(), at.end());
  for (std::size_t i = 1; i < at.size(); ++i)
    CHECK(at[i] - at[i - 1] >= size);
  for (const auto& one : all)
    caf::anon_send_exit(caf::actor_cast<caf::actor>(one), caf::exit_reason::user_shutdown);
  rt.settle();
}

TEST_CASE("an actor with wide members lies as they must") {
  struct aligned : floating_actor {
    using floating_actor::floating_actor;
    caf::behavior make_behavior() override {
      return {[](int) {
      }};
    }
    wide value{};
  };
  manual_runtime rt;
  std::vector<caf::actor> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(caf::actor_cast<caf::actor>(rt.runtime::spawn<aligned>()));
    CHECK(reinterpret_cast<std::uintptr_t>(&object_of<aligned>(all.back()).value) % alignof(wide)
          == 0);
  }
  rt.settle();
}

TEST_CASE("an actor that another one makes is linked or monitored as was asked for") {
  struct child : floating_actor {
    child(caf::actor_config& cfg, std::string& made) : floating_actor(cfg) {
      made += caf::logger::current_logger() == nullptr ? "." : "log";
    }
    caf::behavior make_behavior() override {
      return {[](int) {
      }};
    }
  };
  struct parent : floating_actor {
    parent(caf::actor_config& cfg, std::string& made, std::vector<std::string>& got)
      : floating_actor(cfg), made_(made), got_(got) {
      set_down_handler([this](caf::down_msg&) { got_.emplace_back("down"); });
      set_exit_handler([this](caf::exit_msg&) { got_.emplace_back("exit"); });
    }
    caf::behavior make_behavior() override {
      return {[this](int) {
        for (const auto& one :
             {spawn<child>(std::ref(made_)), spawn<child, caf::linked>(std::ref(made_)),
              spawn<child, caf::monitored>(std::ref(made_))})
          send(one, 1);
      }};
    }
    std::string& made_;
    std::vector<std::string>& got_;
  };
  std::string made;
  std::vector<std::string> got;
  manual_runtime rt;
  const auto self = caf::actor_cast<caf::actor>(rt.spawn<parent>(made, got));
  caf::anon_send(self, 1);
  rt.settle();
  std::sort(got.begin(), got.end());
  CHECK(got == std::vector<std::string>{"down", "exit"});
  CHECK(made == "...");
}
