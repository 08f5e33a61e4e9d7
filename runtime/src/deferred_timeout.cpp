#include <chrono>
#include <sstream>

#include <troupe/runtime/detail/deferred_timeout.hpp>

namespace troupe::detail {

deferred_timer::deferred_timer(deferred_state& s, duration delay, clock& c,
                               const source_location& where)
  : delay_(delay), where_(where) {
  if (delay < duration::zero())
    throw std::logic_error("the timeout of a deferred is negative");
  if (delay == duration::max())
    return;
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
  return detail::timed_out("deferred", delay_, where_);
}

failure timed_out(std::string_view what, duration delay, const source_location& where) {
  std::string_view file = where.file_name();
  file.remove_prefix(file.rfind('/') + 1); // all of it where there is none
  std::ostringstream text;
  text << what << ", after " << std::chrono::duration<double>(delay).count() << " s, asked for at "
       << file << ':' << where.line();
  return {errc::timed_out, std::move(text).str(), where};
}

} // namespace troupe::detail
