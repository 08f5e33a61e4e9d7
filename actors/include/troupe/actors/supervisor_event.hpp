#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <string_view>

#include <caf/actor.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/fwd.hpp>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// What a supervisor did or saw.
enum class supervisor_event_kind : std::uint8_t {
  started,            ///< it has started all its first children
  child_started,      ///< a child runs
  child_ignored,      ///< a start function said that its child is not wanted now
  child_start_failed, ///< a start function failed
  child_ended,        ///< a child ended by itself
  child_restarting,   ///< a child, or the group it belongs to, will be started again after `delay`
  child_stopped,      ///< a child ended because it was told to
  child_killed,       ///< a child took longer to end than its shutdown time, and is killed
  child_abandoned,    ///< a killed child did not end; the supervisor goes on without it
  child_removed,      ///< a spec was dropped
  intensity_reached,  ///< there were more restarts within the period than may be; it gives up
  stopped,            ///< all children have ended, and the supervisor ends
};

/// One decision of a supervisor. Source: OTP's supervisor and progress reports
struct supervisor_event {
  supervisor_event_kind kind;
  std::string supervisor;   ///< its name
  std::string child;        ///< the child's id; empty for events of the supervisor itself
  caf::actor_id actor = 0;  ///< the child's actor; 0 if there is none
  failure reason;           ///< why, where there is a reason
  duration delay{};         ///< child_restarting: how long until then
  std::size_t restarts = 0; ///< child_restarting: how many there were within the period
};

/// Sees the events of a supervisor, on its loop and in its code: it must be quick, and must not end it.
/// What it throws is logged.
using supervisor_observer = std::function<void(const supervisor_event&)>;

/// Returns an observer that sends each event to `to` as a message.
[[nodiscard]] supervisor_observer send_events_to(const caf::actor& to);

/// Returns the enumerator's own name.
[[nodiscard]] std::string_view name(supervisor_event_kind kind) noexcept;

/// Returns the line that is logged, such as
/// "supervisor rooms: child lobby ended: no such file; restart 1 in 0.1 s".
[[nodiscard]] std::string to_string(const supervisor_event& event);
std::ostream& operator<<(std::ostream& out, const supervisor_event& event);

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::supervisor_event)
