#include <stdexcept>

#include <troupe/net/detail/idle_timer.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe::detail {

std::optional<duration> idle_timer::set_timeout(std::optional<duration> after) {
  if (after && *after < duration::zero())
    throw std::logic_error("set_timeout: the time is negative");
  const auto before = std::exchange(timeout_, after);
  if (call_.active())
    call_.cancel();
  if (after) {
    due_ = saturating_add(timed_actor().loop().time(), *after);
    arm(*after);
  }
  return before;
}

void idle_timer::reset_timeout() noexcept {
  if (timeout_ && call_.active())
    due_ = saturating_add(timed_actor().loop().time(), *timeout_);
}

void idle_timer::arm(duration after) {
  call_ = timed_actor().call_later(after, [this] { look(); });
}

void idle_timer::look() {
  const auto now = timed_actor().loop().time();
  if (now < due_) {
    patience_ = {};
    return arm(due_ - now);
  }
  if (!patience_.is_over(timed_actor().loop(), due_, *timeout_))
    return arm(duration::zero());
  in_callback("the time-out", [this] { timed_out(); });
}

bool idle_timer::is_closing(const transport& t) noexcept {
  return t.disconnecting();
}

void idle_timer::look_again(transport& t) {
  const auto before = std::exchange(unsent_, t.unsent());
  if (unsent_ >= before)
    return t.abort_connection();
  if (!call_.active())
    set_timeout(timeout_);
}

} // namespace troupe::detail
