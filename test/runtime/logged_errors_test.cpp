#include <stdexcept>

#include <caf/send.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;
using testing::logged_errors;
using testing::manual_runtime;

namespace {

struct boom : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class fragile : public floating_actor {
public:
  using floating_actor::floating_actor;
  caf::behavior make_behavior() override {
    return {[](int) {
      throw boom("in a handler");
    }};
  }
};

} // namespace

TEST_CASE("an exception of the code under test is taken by its type") {
  manual_runtime rt;
  logged_errors errors{rt};
  rt.reactor().call_later(1s, [] { throw boom("in a call"); });
  rt.advance(1s);
  REQUIRE(errors.size() == 1);
  CHECK(errors.flush<std::out_of_range>().empty());
  CHECK(errors.size() == 1);
  const auto taken = errors.flush<std::runtime_error>();
  REQUIRE(taken.size() == 1);
  CHECK(taken[0].text.find("in a call") != std::string::npos);
  CHECK(taken[0].why.check<boom>());
  CHECK(errors.empty());
}

TEST_CASE("an exception in an actor's handler is taken by its type") {
  manual_runtime rt;
  logged_errors errors{rt};
  caf::anon_send(rt.spawn<fragile>(), 1);
  rt.settle();
  CHECK(errors.flush<boom>().size() == 1);
}

TEST_CASE("an error that was logged is taken by its text, and others stay") {
  manual_runtime rt;
  logged_errors errors{rt};
  rt.reactor().call_later(1s, [] { throw boom("first"); });
  rt.reactor().call_later(1s, [] { throw boom("second"); });
  rt.advance(1s);
  CHECK(errors.flush("second").size() == 1);
  CHECK(errors.size() == 1);
  CHECK(errors.flush("second").empty());
  CHECK(errors.flush().size() == 1);
}

TEST_CASE("an error that nobody took is left for the listener, also when its runtime has ended") {
  {
    manual_runtime rt;
    rt.reactor().call_later(1s, [] { throw boom("left behind"); });
    rt.advance(1s);
  }
  const auto left = testing::detail::take_unexpected_errors();
  REQUIRE(left.size() == 1);
  CHECK(left[0].find("left behind") != std::string::npos);
  CHECK(testing::detail::take_unexpected_errors().empty());
}

TEST_CASE("what is logged while a runtime ends is taken after it") {
  std::optional<logged_errors> errors;
  {
    manual_runtime rt;
    errors.emplace(rt);
    rt.in_turn([&] { rt.reactor().call_later(1s, [] { throw boom("late"); }); });
    rt.advance(1s);
  }
  CHECK(errors->flush<boom>().size() == 1);
}

TEST_CASE("the errors of a runtime that logs elsewhere cannot be looked at") {
  runtime rt{{.loops = 1, .install_signal_handlers = false}};
  CHECK_THROWS_AS(logged_errors{rt}, std::logic_error);
}
