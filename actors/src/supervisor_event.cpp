#include <troupe/actors/supervisor_event.hpp>

#include <chrono>
#include <ostream>
#include <sstream>

#include <caf/send.hpp>

namespace troupe {

supervisor_observer send_events_to(const caf::actor& to) {
  return [to](const supervisor_event& event) {
    caf::anon_send(to, event);
  };
}

std::string_view name(supervisor_event_kind kind) noexcept {
  switch (kind) {
  case supervisor_event_kind::started:
    return "started";
  case supervisor_event_kind::child_started:
    return "child_started";
  case supervisor_event_kind::child_ignored:
    return "child_ignored";
  case supervisor_event_kind::child_start_failed:
    return "child_start_failed";
  case supervisor_event_kind::child_ended:
    return "child_ended";
  case supervisor_event_kind::child_restarting:
    return "child_restarting";
  case supervisor_event_kind::child_stopped:
    return "child_stopped";
  case supervisor_event_kind::child_killed:
    return "child_killed";
  case supervisor_event_kind::child_abandoned:
    return "child_abandoned";
  case supervisor_event_kind::child_removed:
    return "child_removed";
  case supervisor_event_kind::intensity_reached:
    return "intensity_reached";
  case supervisor_event_kind::stopped:
    return "stopped";
  }
  return "unknown";
}

std::ostream& operator<<(std::ostream& out, const supervisor_event& event) {
  using kind = supervisor_event_kind;
  out << "supervisor " << event.supervisor << ':';
  if (!event.child.empty())
    out << " child " << event.child;
  else if (event.actor != 0)
    out << " child " << event.actor;
  switch (event.kind) {
  case kind::started:
    return out << " started";
  case kind::child_started:
    return out << " started";
  case kind::child_ignored:
    return out << " is not wanted now";
  case kind::child_start_failed:
    return out << " could not be started: " << event.reason.message();
  case kind::child_ended:
    return out << " ended: " << event.reason.message();
  case kind::child_restarting:
    out << " restarts";
    if (event.delay > duration::zero())
      out << " in " << std::chrono::duration<double>(event.delay).count() << " s";
    return out << " (" << event.restarts << " within the period)";
  case kind::child_stopped:
    return out << " stopped";
  case kind::child_killed:
    return out << " did not end in time and is killed";
  case kind::child_abandoned:
    return out << " did not end when killed and is left behind";
  case kind::child_removed:
    return out << " removed";
  case kind::intensity_reached:
    return out << " crashed too often; giving up";
  case kind::stopped:
    return out << " stopped";
  }
  return out;
}

std::string to_string(const supervisor_event& event) {
  std::ostringstream out;
  out << event;
  return std::move(out).str();
}

} // namespace troupe
