#include <troupe/runtime/defer_later.hpp>

#include <troupe/runtime/detail/abandoning_promise.hpp>

namespace troupe {

deferred<void> defer_later(clock& clock, duration delay) {
  if (delay < duration::zero())
    throw std::logic_error("defer_later with a negative delay");
  detail::abandoning_promise<void> p;
  auto result = p->get_deferred();
  auto& state = detail::deferred_access::state(result);
  auto call = clock.call_later(delay, [p = std::move(p)]() mutable { p->callback(); });
  detail::deferred_access::set_canceller(state, [call]() mutable { call.cancel(); });
  return result;
}

} // namespace troupe
