#include <chrono>
#include <sstream>

#include <troupe/runtime/detail/deferred_timeout.hpp>

namespace troupe::detail {

deferred_timer::deferred_timer(deferred_state& s, duration delay, clock& c) : delay_(delay) {
  if (delay < duration::zero())
    throw std::logic_error("the timeout of a deferred is negative");
  call_.start(c, delay, [this, state = &s] {
    expired_ = true;
    state->cancel(); // its chain may end this timer
  });
}

bool deferred_timer::stop() {
  call_.cancel();
  return expired_;
}

failure deferred_timer::timed_out() const {
  std::ostringstream text;
  text << "deferred, after " << std::chrono::duration<double>(delay_).count() << " s";
  return {errc::timed_out, std::move(text).str()};
}

} // namespace troupe::detail
