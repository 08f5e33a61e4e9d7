#include <troupe/actors/timer_service.hpp>

#include <memory>

namespace troupe {

deferred<void> timer_service::start_service() {
  auto started = service::start_service();
  const auto over = std::make_shared<promise<void>>();
  ended_.emplace(over->get_deferred());
  loop_.start(step_).add_both([over](outcome<void> how) {
    over->callback();
    return how; // a failure is nobody's, and so reported
  });
  return started;
}

deferred<void> timer_service::stop_service() {
  auto stopped = service::stop_service();
  if (loop_.running())
    loop_.stop();
  if (!ended_)
    return stopped;
  auto ended = std::move(*ended_);
  ended_.reset();
  return ended;
}

} // namespace troupe
