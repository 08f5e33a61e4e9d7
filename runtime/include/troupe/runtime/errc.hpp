#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace caf {
class error;
} // namespace caf

namespace troupe {

/// Names what went wrong: one name for one event in the whole project, each with how to react.
///
/// It is a `std::error_code` enumeration (category "troupe"), and a CAF error code (category atom
/// `troupe`), so it can be returned, sent and compared as either. The numbers travel between
/// nodes; new names go to the end of their group and no number is used again.
enum class errc : std::uint8_t {
  /// Nothing is wrong.
  none = 0,

  // -- any operation ------------------------------------------------------------------------------

  /// Whoever waited called it off. Nothing to do.
  cancelled = 1,
  /// It took longer than allowed. Retry later.
  timed_out = 2,
  /// The producing end of a deferred was dropped without a result. Fix the code that dropped it.
  broken_promise = 3,
  /// An exception of a type that `std::error_code` cannot express. Read the message; give up.
  exception = 4,
  /// An error of a category that this node does not know. Read the message; give up.
  foreign = 5,
  /// The delayed call was made or cancelled before. Nothing to do.
  already_called = 6,
  /// The actor that was asked ended, or ended before it answered. Find or start another one.
  actor_down = 7,
  /// The runtime is stopping or has stopped. Give up.
  runtime_stopped = 8,
  /// The blocking pool is stopped and takes no more work. Give up.
  pool_stopped = 9,
  /// The queue or buffer holds as much as it may. Retry later, or send less.
  queue_overflow = 10,
  /// As many wait for the queue as may. Retry later.
  queue_underflow = 11,
  /// The cooperative task was stopped before its end. Nothing to do.
  task_stopped = 12,
  /// The cooperator was stopped, and its tasks with it. Give up.
  scheduler_stopped = 13,
  /// An argument that came from outside makes no sense. Fix what sends it.
  invalid_argument = 14,
  /// This build or platform cannot do it. Give up.
  not_supported = 15,
  /// Another attempt to take this lock is under way. Wait for it.
  already_trying_to_lock = 16,
  /// The actor that was asked has no handler for that message. Fix the code that asked.
  no_handler = 17,
  /// Another actor has that name. Choose another name, or ask that actor.
  name_taken = 18,

  // -- connections --------------------------------------------------------------------------------

  /// The connection ended cleanly, by either side. Nothing to do; reconnect if it should last.
  connection_done = 40,
  /// The connection broke without a clean end. Reconnect.
  connection_lost = 41,
  /// This side ended the connection at once, dropping what was not sent. Nothing to do.
  connection_aborted = 42,
  /// Nobody listens there, or will not have us. Retry later.
  connection_refused = 43,
  /// The connection could not be made, for the reason in the message. Retry later.
  connect_failed = 44,
  /// There is no way to that host. Retry later.
  no_route = 45,
  /// The name of the host has no address. Check the name, or retry later.
  unknown_host = 46,
  /// The name of the service has no port. Check the name.
  unknown_service = 47,
  /// The local address cannot be bound. Choose another, or wait until it is free.
  bind_failed = 48,
  /// The address is in use, or is not ours, so nothing can listen there. Choose another.
  cannot_listen = 49,
  /// The port does not listen, or no longer. Fix the order of the calls.
  not_listening = 50,
  /// The connector is not connecting. Fix the order of the calls.
  not_connecting = 51,
  /// The transport has no connection, or no longer. Drop what was to be sent.
  not_connected = 52,
  /// The text is not an address, or one of another kind. Check where it comes from.
  invalid_address = 53,
  /// The factory made no protocol for the connection. Check the factory.
  no_protocol = 54,
  /// There are as many connections as may be. Retry later.
  connection_limit_reached = 55,
  /// The peer reads too slowly for what was written to it. Close it; it may reconnect.
  output_limit_reached = 56,
  /// The peer sent nothing for longer than allowed. Close it; it may reconnect.
  idle_timed_out = 57,
  /// The TLS handshake failed. Check certificates and versions.
  tls_failed = 58,
  /// The peer's certificate was refused. Check the certificate, or distrust the peer.
  certificate_refused = 59,
  /// The multicast group could not be joined or left. Check group and interface.
  multicast_failed = 60,
  /// The peer ended its side of the connection without the end that TLS demands. Distrust the data.
  tls_truncated = 61,

  // -- protocols ----------------------------------------------------------------------------------

  /// A line is longer than allowed. Close the peer.
  line_too_long = 80,
  /// A message is longer than allowed. Close the peer, or send less.
  message_too_long = 81,
  /// What the peer sent breaks the protocol. Close the peer.
  malformed_input = 82,

  // -- processes ----------------------------------------------------------------------------------

  /// The process exited with status 0. Nothing to do.
  process_done = 100,
  /// The process exited with another status, or by a signal; see the message.
  process_terminated = 101,
  /// The process has exited before. Nothing to do.
  process_exited_already = 102,
  /// The process could not be started. Check the program and its rights.
  spawn_failed = 103,
  /// The process wrote to its standard error. Read the text.
  process_wrote_errors = 104,

  // -- supervision --------------------------------------------------------------------------------

  /// More children ended than may within the period, so the supervisor gave up. Find out why.
  restart_intensity_reached = 120,
  /// The supervisor has no child of that name. Check the name.
  no_such_child = 121,
  /// The supervisor has a child of that name already. Choose another, or delete that one first.
  child_exists = 122,
  /// The child runs, and this is for one that does not. Terminate it first.
  child_running = 123,
  /// The child waits for its next start. Terminate it first, or wait.
  child_restarting = 124,
  /// There are as many children as may be. Retry later.
  child_limit_reached = 125,
  /// The child could not be started, for the reason in the message. Fix the cause.
  child_start_failed = 126,
};

/// Returns the enumerator's own name, such as "timed_out"; "unknown" for a number without one.
[[nodiscard]] std::string_view name(errc code) noexcept;

/// Returns the enumerator's name. Found by CAF when it prints.
[[nodiscard]] std::string to_string(errc code);

/// The category of `errc` in `std::error_code`; its name is "troupe". Where `std::errc` has a name
/// for the same event, the codes compare equal to that condition.
[[nodiscard]] const std::error_category& troupe_category() noexcept;

[[nodiscard]] std::error_code make_error_code(errc code) noexcept;

/// Makes a CAF error of category `troupe`. Found by CAF, so an `errc` converts to `caf::error`.
[[nodiscard]] caf::error make_error(errc code);

/// Makes a CAF error with a text that says more.
[[nodiscard]] caf::error make_error(errc code, std::string context);

} // namespace troupe

template <>
struct std::is_error_code_enum<troupe::errc> : std::true_type {};
