#include <troupe/runtime/threads.hpp>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

void call_multiple_in_thread(reactor& r, std::vector<task> fns) {
  r.call_in_thread([fns = std::move(fns)]() mutable {
    for (auto& fn : fns)
      fn();
  });
}

const std::shared_ptr<const std::atomic<bool>>&
detail::reactor_access::alive(const reactor& r) noexcept {
  return r.scheduler_.alive();
}

void detail::check_may_block(const reactor& r) {
  if (event_loop::current() != nullptr)
    throw std::logic_error("blocking_call_from_thread: called on a loop's thread, which would wait "
                           "for itself for ever");
  if (reactor_access::will_run_here(r))
    throw std::logic_error(
      "blocking_call_from_thread: the runtime does not run yet, and the thread "
      "that will run it would wait for itself for ever; use call_when_running");
}

} // namespace troupe
