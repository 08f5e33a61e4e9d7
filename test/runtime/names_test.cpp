#include <troupe/runtime/names.hpp>

#include <stdexcept>
#include <string>
#include <vector>

#include <caf/exit_reason.hpp>
#include <caf/send.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using testing::manual_runtime;
using texts = std::vector<std::string>;

namespace {

template <class Base>
class listener : public Base {
public:
  listener(caf::actor_config& cfg, texts* log) : Base(cfg), log_(log) {}
  caf::behavior make_behavior() override {
    return {[this](const std::string& text) {
      log_->push_back(text + (this->current_sender() != nullptr ? " from somebody" : ""));
    }};
  }

private:
  texts* log_;
};

void end(manual_runtime& rt, const caf::actor& who) {
  caf::anon_send_exit(who, caf::exit_reason::kill);
  rt.settle();
}

} // namespace

TEMPLATE_TEST_CASE("an actor is found by its names until it ends", "[names]", floating_actor,
                   pinned_actor) {
  texts log;
  manual_runtime rt;
  const auto a = rt.spawn<listener<TestType>>(&log);
  rt.settle();
  CHECK(rt.names().whereis("cache") == nullptr);
  CHECK(rt.names().put("cache", a));
  CHECK(rt.names().put("store", a));
  CHECK(rt.names().put("cache", a)); // it has it already
  CHECK(rt.names().whereis("cache") == a);
  CHECK(names{rt.system()}.all() == texts{"cache", "store"});
  end(rt, a);
  CHECK(rt.names().whereis("cache") == nullptr);
  CHECK(rt.names().all().empty());
}

TEST_CASE("a reference to a name follows whoever has it", "[names]") {
  texts first;
  texts second;
  manual_runtime rt;
  const auto cache = rt.names().get("cache"); // before anybody has it
  CHECK_FALSE(cache.send(std::string{"lost"}));
  const auto a = rt.spawn<listener<pinned_actor>>(&first);
  REQUIRE(rt.names().put("cache", a));
  CHECK(cache.send(std::string{"one"}));
  rt.settle();
  end(rt, a);
  CHECK(cache.actor() == nullptr);
  CHECK_FALSE(cache.send(std::string{"lost"}));
  const auto b = rt.spawn<listener<pinned_actor>>(&second);
  REQUIRE(rt.names().put("cache", b));
  CHECK(cache.actor() == b);
  CHECK(cache.send("two"));
  CHECK(cache.send_as(b, "three"));
  rt.settle();
  CHECK(first == texts{"one"});
  CHECK(second == texts{"two", "three from somebody"});
}

TEST_CASE("a name belongs to one living actor, until it is taken away", "[names]") {
  texts log;
  manual_runtime rt;
  const auto a = rt.spawn<listener<pinned_actor>>(&log);
  const auto b = rt.spawn<listener<pinned_actor>>(&log);
  rt.settle();
  REQUIRE(rt.names().put("cache", a));
  CHECK_FALSE(rt.names().put("cache", b));
  CHECK(rt.names().whereis("cache") == a);
  CHECK(rt.names().remove("cache"));
  CHECK_FALSE(rt.names().remove("cache"));
  CHECK(rt.names().put("cache", b));
  end(rt, a); // has no name any more
  CHECK(rt.names().whereis("cache") == b);
  CHECK_FALSE(rt.names().put("other", a));
  CHECK(rt.names().whereis("other") == nullptr);
  CHECK_THROWS_AS(rt.names().put("other", caf::actor{}), std::logic_error);
}

TEST_CASE("a name keeps its actor, and a reference may outlive the runtime", "[names]") {
  texts log;
  auto rt = std::make_unique<manual_runtime>();
  const auto cache = rt->names().get("cache");
  rt->in_turn([&] {
    caf::actor_config cfg;
    REQUIRE(rt->names().put(
      "cache", caf::actor_cast<caf::actor>(
                 rt->system().spawn_impl<listener<floating_actor>, caf::hidden>(cfg, &log))));
  });
  rt->settle();
  CHECK(cache.send("still there"));
  rt->settle();
  CHECK(log == texts{"still there"});
  rt.reset();
  CHECK(cache.actor() == nullptr);
  CHECK_FALSE(cache.send("too late"));
}
