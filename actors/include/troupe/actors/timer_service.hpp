#pragma once

#include <memory>
#include <utility>

#include <troupe/actors/service.hpp>
#include <troupe/runtime/looping_call.hpp>

namespace troupe {

/// Calls a function at once and at a fixed interval, while it runs.
///
/// If the function fails, that is reported as an unhandled failure, and it is not called any more
/// until the service is started again.
///
/// ```cpp
/// app.add_service(std::make_shared<troupe::timer_service>(rt.reactor(), 30s, [] { beat(); }));
/// ```
///
/// Thread: that of the clock. Source: twisted.application.internet.TimerService
class timer_service final : public service {
public:
  /// \param clock  must outlive the service
  /// \param f  as for `looping_call`; it may return a deferred
  template <class F>
  timer_service(clock& clock, duration step, F f) : step_(step), loop_(clock, std::move(f)) {}

  /// Started again while a call of before is under way, it calls when that one is over.
  [[nodiscard]] deferred<void> start_service() override;

  /// \returns what fires when a call that is under way, if its function returned a deferred, is over
  [[nodiscard]] deferred<void> stop_service() override;

private:
  struct run_end;

  duration step_;
  std::shared_ptr<run_end> latest_; // of the latest start
  looping_call loop_;
};

} // namespace troupe
