#include <troupe/runtime/threads.hpp>

#include <string>
#include <thread>
#include <vector>

#include <troupe/runtime/reactor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/catch.hpp"
#include "support/quiet.hpp"

using namespace troupe;
using namespace troupe::testing;
using namespace std::chrono_literals;

TEST_CASE("a result of a thread arrives on the loop, and so does its exception", "[H03]") {
  runtime rt{quiet()};
  const auto loop_thread = std::this_thread::get_id();
  std::thread::id worker;
  int got = 0;
  failure why;
  rt.reactor().call_when_running([&] {
    defer_to_thread(rt.reactor(), [&] {
      worker = std::this_thread::get_id();
      return 41 + 1;
    }).add_callback([&](int x) {
      got = x;
      CHECK(std::this_thread::get_id() == loop_thread);
      defer_to_thread(rt.reactor(), []() -> int {
        throw std::runtime_error("thread");
      }).add_both([&](outcome<int> y) {
        why = y.error();
        rt.stop();
      });
    });
  });
  rt.run();
  CHECK(why.message() == "thread");
  CHECK(got == 42);
  CHECK(worker != loop_thread);
}

TEST_CASE("a blocking call from a thread returns what the loop made of it", "[threads]") {
  runtime rt{quiet()};
  int direct = 0, deferred_one = 0;
  std::string thrown;
  bool refused = false;
  rt.reactor().call_in_thread([&] {
    direct = blocking_call_from_thread(rt.reactor(), [] { return 1; });
    deferred_one = blocking_call_from_thread(rt.reactor(), [&] {
      auto p = std::make_shared<promise<int>>();
      rt.reactor().call_later(1ms, [p] { p->callback(2); });
      return p->get_deferred();
    });
    try {
      blocking_call_from_thread(rt.reactor(), [] { throw std::runtime_error("from the loop"); });
    } catch (const std::runtime_error& e) {
      thrown = e.what();
    }
    rt.reactor().call_from_thread([&] { rt.stop(); });
  });
  rt.reactor().call_when_running([&] {
    try {
      blocking_call_from_thread(rt.reactor(), [] {});
    } catch (const std::logic_error&) {
      refused = true;
    }
  });
  rt.run();
  CHECK(direct == 1);
  CHECK(deferred_one == 2);
  CHECK(thrown == "from the loop");
  CHECK(refused);
}

TEST_CASE("a thread that waits for what never comes is told when the runtime stops", "[threads]") {
  std::vector<std::error_code> told;
  const auto wait = [&](runtime& rt, auto fn) {
    try {
      blocking_call_from_thread(rt.reactor(), std::move(fn));
    } catch (const std::system_error& e) {
      told.push_back(e.code());
    }
  };
  std::thread outside;
  promise<void> held;
  {
    runtime rt{quiet()};
    rt.reactor().call_in_thread([&] {
      wait(rt, [&] {
        rt.reactor().call_later(1ms, [&] { rt.stop(); });
        return held.get_deferred();
      });
      wait(rt, [] {}); // and nobody begins again
    });
    rt.run();
    CHECK(told.size() == 2);
    wait(rt, [] {}); // this very thread, which would run it
  }
  {
    runtime never{quiet()};
    CHECK_THROWS_AS(blocking_call_from_thread(never.reactor(), [] {}), std::logic_error);
    std::atomic<bool> waits = false;
    outside = std::thread([&] {
      waits = true;
      wait(never, [] {});
    });
    while (!waits)
      std::this_thread::yield();
  }
  outside.join();
  {
    runtime rt{quiet()};
    rt.reactor().call_in_thread([&] {
      wait(rt, [] { return promise<void>{}.get_deferred(); }); // its owner lets it go
      rt.stop();
    });
    rt.run();
  }
  CHECK(told
        == std::vector<std::error_code>{errc::runtime_stopped, errc::runtime_stopped,
                                        errc::runtime_stopped, errc::runtime_stopped,
                                        errc::broken_promise});
}

TEST_CASE("calls in one thread keep their order, and the pool's size can be told", "[H05][H10]") {
  runtime rt{quiet()};
  std::vector<int> got;
  rt.reactor().suggest_thread_pool_size(34);
  CHECK(rt.reactor().get_thread_pool().max() == 34);
  rt.reactor().suggest_thread_pool_size(4);
  CHECK(rt.reactor().get_thread_pool().max() == 4);
  CHECK_THROWS_AS(rt.reactor().suggest_thread_pool_size(0), std::logic_error);
  std::vector<task> calls;
  for (int i = 0; i < 100; ++i)
    calls.emplace_back([&got, i] { got.push_back(i); });
  calls.emplace_back([&] { rt.reactor().call_from_thread([&] { rt.stop(); }); });
  call_multiple_in_thread(rt.reactor(), std::move(calls));
  CHECK(got.empty()); // the pool begins with the reactor
  rt.run();
  REQUIRE(got.size() == 100);
  CHECK(std::is_sorted(got.begin(), got.end()));
  rt.reactor().call_in_thread([&] { got.clear(); }); // dropped
  CHECK(got.size() == 100);
}

TEST_CASE("what is called in a thread is not on the loop, what is called from it is", "[H02]") {
  runtime rt{quiet()};
  event_loop* in_thread = &rt.scheduler().loop(0);
  event_loop* on_loop = nullptr;
  rt.reactor().call_in_thread([&] {
    in_thread = event_loop::current();
    rt.reactor().call_from_thread([&] {
      on_loop = event_loop::current();
      rt.stop();
    });
  });
  rt.run();
  CHECK(in_thread == nullptr);
  CHECK(on_loop == &rt.scheduler().loop(0));
}

TEST_CASE("the reactor's threads begin with it, end at its stop, and are no matter if it never ran",
          "[H11]") {
  std::size_t running = 0;
  std::atomic<bool> finished = false;
  {
    runtime rt{quiet()};
    rt.reactor().call_in_thread([&] {
      running = rt.reactor().get_thread_pool().workers();
      rt.reactor().call_from_thread([&] { rt.stop(); });
      std::this_thread::sleep_for(10ms); // is waited for
      finished = true;
    });
    CHECK(rt.reactor().get_thread_pool().workers() == 0);
    rt.run();
    CHECK(finished);
    CHECK(rt.reactor().get_thread_pool().workers() == 0);
  }
  CHECK(running == 1);
  bool ran = false;
  const auto held = std::make_shared<int>();
  {
    runtime never{quiet()};
    never.reactor().call_in_thread([&, held] { ran = true; });
  }
  CHECK_FALSE(ran);
  CHECK(held.use_count() == 1);
}
