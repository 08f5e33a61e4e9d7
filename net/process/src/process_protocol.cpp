#include <troupe/net/process_protocol.hpp>

#include <stdexcept>

#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe {

process_protocol::process_protocol(caf::actor_config& cfg) : super(cfg) {}

process_protocol::~process_protocol() = default;

void process_protocol::out_received(bytes_view) {}

void process_protocol::err_received(bytes_view) {}

void process_protocol::child_data_received(int fd, bytes_view data) {
  if (fd == 1)
    out_received(data);
  else if (fd == 2)
    err_received(data);
}

void process_protocol::child_connection_lost(int fd) {
  if (fd == 0)
    in_connection_lost();
  else if (fd == 1)
    out_connection_lost();
  else if (fd == 2)
    err_connection_lost();
}

void process_protocol::process_exited(const failure&) {}

void process_protocol::process_ended(const failure&) {}

std::string process_protocol::log_name() const {
  auto name = log_prefix();
  if (transport_ != nullptr)
    if (const auto pid = transport_->pid())
      name += " pid " + std::to_string(*pid);
  return name;
}

const char* process_protocol::name() const {
  return "process_protocol";
}

void process_protocol::refuse_transport() {
  throw std::logic_error("transport(): there is no process: there is one from connection_made to "
                         "process_ended, and not in the constructor");
}

// -- for transports -------------------------------------------------------------------------------

void process_protocol::make_connection(process_transport& t) {
  enter("connection_made", [this, &t] {
    transport_ = &t;
    detail::in_callback("connection_made", [this] { connection_made(); });
  });
}

void process_protocol::exited(const failure& reason) {
  exit_ = reason;
  enter("process_exited",
        [this] { detail::in_callback("process_exited", [this] { process_exited(exit_); }); });
}

void process_protocol::end(const failure& reason) {
  if (!reason_)
    reason_ = reason;
  enter("process_ended", [this] { quit(exit_reason(reason_, errc::process_done)); });
}

void process_protocol::stop_requested() {
  if (!connected())
    return super::stop_requested();
  transport_->stop();
}

void process_protocol::fail_with_current_exception() {
  reason_ = failure::current();
  super::fail_with_current_exception();
}

void process_protocol::on_exit() {
  // Nothing may leave here: the actor ends in a destructor (pinned_actor::enter).
  if (transport_ != nullptr)
    guarded("stop_producing", [this] { transport_->protocol_ended(); });
  if (!reason_)
    reason_ = quit_reason();
  guarded("process_ended", [this] { process_ended(exit_ ? exit_ : reason_); });
  transport_ = nullptr;
  super::on_exit();
}

} // namespace troupe
