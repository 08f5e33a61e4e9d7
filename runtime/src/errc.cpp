#include <iterator>
#include <utility>

#include <caf/atom.hpp>
#include <caf/error.hpp>
#include <caf/make_message.hpp>

#include <troupe/runtime/detail/error_table.hpp>
#include <troupe/runtime/errc.hpp>

namespace troupe {

namespace {

constexpr detail::error_entry<errc> entries[] = {
  {errc::none, "none", "no error"},
  {errc::cancelled, "cancelled", "it was cancelled"},
  {errc::timed_out, "timed_out", "it took longer than allowed"},
  {errc::broken_promise, "broken_promise", "the promise was dropped without a result"},
  {errc::exception, "exception", "an exception was thrown"},
  {errc::foreign, "foreign", "an error of an unknown category"},
  {errc::already_called, "already_called", "the call was made or cancelled before"},
  {errc::actor_down, "actor_down", "the actor has ended"},
  {errc::runtime_stopped, "runtime_stopped", "the runtime is stopping"},
  {errc::pool_stopped, "pool_stopped", "the thread pool is stopped"},
  {errc::queue_overflow, "queue_overflow", "the queue is full"},
  {errc::queue_underflow, "queue_underflow", "too many wait for the queue"},
  {errc::task_stopped, "task_stopped", "the task was stopped"},
  {errc::scheduler_stopped, "scheduler_stopped", "the cooperator was stopped"},
  {errc::invalid_argument, "invalid_argument", "invalid argument"},
  {errc::not_supported, "not_supported", "it is not supported here"},
  {errc::already_trying_to_lock, "already_trying_to_lock", "the lock is being taken already"},
  {errc::no_handler, "no_handler", "there is no handler for the message"},
  {errc::name_taken, "name_taken", "another actor has that name"},
  {errc::connection_done, "connection_done", "the connection was closed cleanly"},
  {errc::connection_lost, "connection_lost", "the connection broke"},
  {errc::connection_aborted, "connection_aborted", "the connection was aborted"},
  {errc::connection_refused, "connection_refused", "the connection was refused"},
  {errc::connect_failed, "connect_failed", "the connection could not be made"},
  {errc::no_route, "no_route", "there is no route to the host"},
  {errc::unknown_host, "unknown_host", "the host is unknown"},
  {errc::unknown_service, "unknown_service", "the service is unknown"},
  {errc::bind_failed, "bind_failed", "the local address cannot be bound"},
  {errc::cannot_listen, "cannot_listen", "nothing can listen at that address"},
  {errc::not_listening, "not_listening", "the port does not listen"},
  {errc::not_connecting, "not_connecting", "no connection is being made"},
  {errc::not_connected, "not_connected", "there is no connection"},
  {errc::invalid_address, "invalid_address", "this is not an address of the right kind"},
  {errc::no_protocol, "no_protocol", "the factory made no protocol"},
  {errc::connection_limit_reached, "connection_limit_reached", "there are too many connections"},
  {errc::output_limit_reached, "output_limit_reached", "the peer reads too slowly"},
  {errc::idle_timed_out, "idle_timed_out", "the peer was silent for too long"},
  {errc::tls_failed, "tls_failed", "the TLS handshake failed"},
  {errc::certificate_refused, "certificate_refused", "the certificate was refused"},
  {errc::multicast_failed, "multicast_failed", "the multicast group cannot be joined or left"},
  {errc::tls_truncated, "tls_truncated", "the TLS connection was cut off"},
  {errc::line_too_long, "line_too_long", "the line is too long"},
  {errc::message_too_long, "message_too_long", "the message is too long"},
  {errc::malformed_input, "malformed_input", "the peer broke the protocol"},
  {errc::process_done, "process_done", "the process exited with status 0"},
  {errc::process_terminated, "process_terminated", "the process was terminated"},
  {errc::process_exited_already, "process_exited_already", "the process has exited already"},
  {errc::spawn_failed, "spawn_failed", "the process could not be started"},
  {errc::process_wrote_errors, "process_wrote_errors", "the process wrote to its standard error"},
  {errc::restart_intensity_reached, "restart_intensity_reached", "too many restarts"},
  {errc::no_such_child, "no_such_child", "there is no such child"},
  {errc::child_exists, "child_exists", "there is such a child already"},
  {errc::child_running, "child_running", "the child runs"},
  {errc::child_restarting, "child_restarting", "the child is about to be restarted"},
  {errc::child_limit_reached, "child_limit_reached", "there are too many children"},
  {errc::child_start_failed, "child_start_failed", "the child could not be started"},
};

class category final : public detail::error_table_category<errc, std::size(entries)> {
public:
  category() noexcept : error_table_category("troupe", entries) {}

  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
    case errc::cancelled:
      return std::errc::operation_canceled;
    case errc::timed_out:
    case errc::idle_timed_out:
      return std::errc::timed_out;
    case errc::connection_lost:
      return std::errc::connection_reset;
    case errc::connection_aborted:
      return std::errc::connection_aborted;
    case errc::connection_refused:
      return std::errc::connection_refused;
    case errc::no_route:
      return std::errc::host_unreachable;
    case errc::not_connected:
      return std::errc::not_connected;
    case errc::invalid_argument:
      return std::errc::invalid_argument;
    case errc::not_supported:
      return std::errc::not_supported;
    default:
      return {value, *this};
    }
  }
};

} // namespace

std::string_view name(errc code) noexcept {
  return detail::error_name(entries, code);
}

std::string to_string(errc code) {
  return std::string(name(code));
}

const std::error_category& troupe_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), troupe_category()};
}

caf::error make_error(errc code) {
  return {static_cast<std::uint8_t>(code), caf::atom("troupe")};
}

caf::error make_error(errc code, std::string context) {
  return {static_cast<std::uint8_t>(code), caf::atom("troupe"),
          caf::make_message(std::move(context))};
}

} // namespace troupe
