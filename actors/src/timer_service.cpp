#include <troupe/actors/timer_service.hpp>

#include <utility>
#include <vector>

namespace troupe {

/// The end of one run of the loop, which may be waited for by several.
struct timer_service::run_end {
  bool over = false;
  std::vector<promise<void>> waiting;
};

deferred<void> timer_service::start_service() {
  /// Sees the end, or goes with a call whose deferred was abandoned.
  struct watch {
    explicit watch(std::shared_ptr<run_end> e) noexcept : end(std::move(e)) {}
    watch(watch&&) noexcept = default;
    ~watch() {
      if (!end)
        return;
      end->over = true;
      for (auto& p : std::exchange(end->waiting, {}))
        p.abandon();
    }
    outcome<void> operator()(outcome<void> how) {
      const auto e = std::move(end);
      e->over = true;
      for (auto& p : std::exchange(e->waiting, {}))
        p.callback();
      return how; // a failure is nobody's, and so reported
    }
    std::shared_ptr<run_end> end;
  };
  auto started = service::start_service();
  const auto end = std::make_shared<run_end>();
  latest_ = end;
  loop_.start(step_).add_both(watch{end});
  return started;
}

deferred<void> timer_service::stop_service() {
  auto stopped = service::stop_service();
  const auto end = latest_;
  if (loop_.running())
    loop_.stop();
  if (!end || end->over)
    return stopped;
  return end->waiting.emplace_back().get_deferred();
}

} // namespace troupe
