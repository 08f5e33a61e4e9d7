#include <troupe/runtime/time.hpp>

#include <limits>

#include <caf/send.hpp>

#include <troupe/runtime/floating_actor.hpp>
#include <troupe/testing/manual_runtime.hpp>

#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("sums and products of time stop at its ends", "[time]") {
  constexpr auto inf = std::numeric_limits<double>::infinity();
  CHECK(saturating_add(time_point{1s}, duration::max()) == time_point::max());
  CHECK(saturating_add(time_point{-1s}, duration::min()) == time_point::min());
  CHECK(saturating_add(duration::max(), 1ns) == duration::max());
  CHECK(saturating_add(duration::min(), -1ns) == duration::min());
  CHECK(saturating_add(duration{1s}, duration{2s}) == 3s);
  CHECK(saturating_multiply(2s, 1.5) == 3s);
  CHECK(saturating_multiply(2s, -1.5) == -3s);
  CHECK(saturating_multiply(2s, inf) == duration::max());
  CHECK(saturating_multiply(-2s, inf) == duration::min());
  CHECK(saturating_multiply(0s, inf) == 0s);
  CHECK(saturating_multiply(duration::max(), 1) == duration::max());
  CHECK(saturating_multiply(duration::max(), 2) == duration::max());
  CHECK(saturating_multiply(1s, std::numeric_limits<double>::quiet_NaN()) == duration::max());
}

TEST_CASE("what CAF is to do after the longest time is not done at once", "[time]") {
  class patient final : public floating_actor {
  public:
    patient(caf::actor_config& cfg, int& early) : floating_actor(cfg), early_(early) {}
    caf::behavior make_behavior() override {
      silent_ = spawn([]() -> caf::behavior {
        return {[](int) {
          return caf::skip();
        }};
      });
      request(silent_, duration::max(), 1)
        .then([](int) {}, [this](const caf::error&) { ++early_; });
      return {[this](int) {
        ++early_;
      }};
    }
    void on_exit() override {
      silent_ = {};
      floating_actor::on_exit();
    }

  private:
    int& early_;
    caf::actor silent_;
  };
  int early = 0;
  testing::manual_runtime rt;
  rt.advance(1s);
  const auto a = rt.spawn<patient>(std::ref(early));
  rt.settle();
  rt.advance(1h);
  rt.settle();
  CHECK(early == 0);
}
