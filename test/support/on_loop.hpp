#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/threads.hpp>

#include "support/running.hpp"

namespace troupe::testing {

/// Runs `fn` on loop 0, and returns what comes of it; a deferred is waited for.
template <class F>
auto on_loop(running& r, F fn) {
  return blocking_call_from_thread(r.rt.reactor(), std::move(fn));
}

/// Runs `fn` in a turn of that loop, and returns what it returns.
template <class F>
auto on_loop(running& r, std::size_t loop, F fn) {
  using call = std::packaged_task<std::invoke_result_t<F&>()>;
  const auto made = std::make_shared<call>(std::move(fn));
  auto result = made->get_future();
  r.rt.scheduler().loop(loop).post([made] { (*made)(); });
  if (result.wait_for(std::chrono::seconds(30)) != std::future_status::ready)
    throw std::runtime_error("the loop does not turn");
  return result.get();
}

} // namespace troupe::testing
