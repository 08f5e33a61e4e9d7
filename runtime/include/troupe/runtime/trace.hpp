#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <caf/fwd.hpp>

#include <troupe/runtime/time.hpp>

namespace troupe {

class event_loop;
class runtime;

/// Where in a trace a message is, or the code that runs: what is behind it belongs to it.
struct trace_context {
  std::uint64_t trace = 0; ///< 0: there is none
  std::uint64_t span = 0;

  explicit operator bool() const noexcept { return trace != 0; }
  friend bool operator==(const trace_context&, const trace_context&) noexcept = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, trace_context& x) {
  return f(x.trace, x.span);
}

/// A step of a trace that is over: a message that was handled, or a `trace_scope`.
struct trace_span {
  trace_context here;
  std::uint64_t parent = 0; ///< the span in which it was sent; 0 if it is the first
  std::string name;         ///< the class of the actor, or that of the scope
  std::string message;      ///< in short, such as "('job', 7)"; empty for a scope
  caf::actor_id actor = 0;  ///< 0 for a scope
  std::size_t loop = 0;
  time_point sent{};  ///< what is between this and `began` is the wait in the mailbox
  time_point began{}; ///< when its handler began
  time_point
    ended{}; ///< and returned; what a coroutine of it does later is in spans of what woke it
};

/// Has `hook` called with each step of a trace in `rt`, as it is over; empty: no more.
///
/// A trace begins with a `trace_scope`. From there it goes with all that is sent by whoever handles something of
/// it: messages, requests and answers, `run_as` and what is called by it, to `basic_actor`s on any loop of any
/// traced runtime of the process, through `router`s, and back into coroutines and callbacks that wait for an `ask`.
/// It does not go with delayed calls, publications on topics, calls in threads, through actors that are no
/// `basic_actor`, or to other nodes: there, send `current_trace()` as a value, and go on with `trace_scope`.
///
/// Off, it costs a look at a flag for each message, where it is sent and where it is handled. On, a message that
/// belongs to no trace costs little more; one that does, a second allocation and two looks at the clock.
///
/// `hook` runs in the thread of the loop, several at once: it must be short and not block, and what it throws is
/// logged. What it sends belongs to no trace.
///
/// Thread: any, but not while `rt` ends.
/// Source: OpenTelemetry's context and spans
void trace_messages(runtime& rt, std::function<void(const trace_span&)> hook);

/// Returns the trace to which what runs now belongs. Thread: any.
[[nodiscard]] trace_context current_trace() noexcept;

/// Begins a trace, or goes on with one: what is sent while it exists belongs to it.
///
/// ```cpp
/// void line_received(std::string_view line) override {
///   const troupe::trace_scope all{loop(), "line"};
///   send(rooms_, say_atom::value, std::string{line});
/// }
/// ```
///
/// If a trace goes on here already, it is a step of that. In a runtime that is not traced it does nothing.
///
/// Thread: that of `loop`. It ends where it began, before any wait: never keep one across `co_await`.
class trace_scope {
public:
  trace_scope(event_loop& loop, std::string_view name) : trace_scope(loop, name, current_trace()) {}

  /// \param from  of which it is a step, which may have come in a message; empty begins a trace
  trace_scope(event_loop& loop, std::string_view name, trace_context from);
  ~trace_scope();
  trace_scope(const trace_scope&) = delete;
  trace_scope& operator=(const trace_scope&) = delete;

  /// Returns what a message that is sent now carries.
  [[nodiscard]] trace_context context() const noexcept { return span_.here; }

private:
  event_loop& loop_;
  trace_context before_;
  trace_span span_;
};

} // namespace troupe
