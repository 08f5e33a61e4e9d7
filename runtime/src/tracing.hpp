#pragma once

#include <atomic>

#include <caf/mailbox_element.hpp>
#include <caf/scheduled_actor.hpp>

#include <troupe/runtime/trace.hpp>

namespace troupe::detail {

/// How many runtimes are traced: what is looked at for each message.
extern std::atomic<unsigned> runtimes_that_trace;

[[nodiscard]] inline bool traces() noexcept {
  return runtimes_that_trace.load(std::memory_order_relaxed) != 0;
}

/// Returns `what` with the present trace, if there is one and it is a message of the user's. Thread: any.
[[nodiscard]] caf::mailbox_element_ptr with_trace(caf::mailbox_element_ptr what);

/// Stands while an actor handles `x`: if that belongs to a trace, so does all that it sends.
///
/// Thread: that of the actor.
class traced_visit {
public:
  traced_visit(const caf::mailbox_element& x, const caf::scheduled_actor& actor);
  ~traced_visit() { end(); }
  traced_visit(const traced_visit&) = delete;
  traced_visit& operator=(const traced_visit&) = delete;

  /// The message was not handled, but kept for later.
  void skipped() noexcept { tells_ = false; }

private:
  void end() noexcept;

  bool tells_ = false;
  bool inside_ = false;
  trace_context before_;
  trace_span span_;
};

} // namespace troupe::detail
