#include <troupe/net/protocol.hpp>

#include <typeinfo>

#include <caf/behavior.hpp>
#include <caf/detail/pretty_type_name.hpp>
#include <caf/exit_reason.hpp>
#include <spdlog/logger.h>

#include <troupe/net/factory.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

// A protocol that takes no messages still needs a behavior, or CAF would take it for ended. One
// for all: each of its own would cost a connection 130 bytes.
const caf::behavior& no_messages() {
  static const caf::behavior nothing{[](caf::unit_t) {
  }};
  return nothing;
}

caf::error exit_reason_of(const failure& reason) {
  if (reason.check(errc::connection_done))
    return caf::exit_reason::normal;
  if (reason.check(errc::runtime_stopped))
    return caf::exit_reason::user_shutdown;
  return reason.to_caf_error();
}

} // namespace

protocol::protocol(caf::actor_config& cfg) : super(cfg) {
  set_exception_handler([](caf::scheduled_actor* self, std::exception_ptr& e) -> caf::error {
    auto& p = *static_cast<protocol*>(self);
    try {
      std::rethrow_exception(e);
    } catch (...) {
      p.fail_with_current_exception();
    }
    return p.reason_.to_caf_error();
  });
}

protocol::~protocol() = default;

void protocol::make_connection(troupe::transport& t) {
  transport_ = &t;
  connection_made();
}

void protocol::data_received(bytes_view) {}

void protocol::connection_lost(const failure&) {}

std::string protocol::log_prefix() const {
  return caf::detail::pretty_type_name(typeid(*this));
}

caf::behavior protocol::make_behavior() {
  return no_messages();
}

caf::actor protocol::factory() const {
  return caf::actor_cast<caf::actor>(factory_);
}

const char* protocol::name() const {
  return "protocol";
}

// -- the end ------------------------------------------------------------------------------------

void protocol::end_connection(const failure& reason) {
  if (!reason_)
    reason_ = reason;
  enter([this] { quit(exit_reason_of(reason_)); });
}

void protocol::stop_requested() {
  if (!connected())
    return super::stop_requested();
  lose_connection(errc::runtime_stopped);
}

void protocol::lose_connection(const failure& reason) {
  if (!reason_)
    reason_ = reason;
  transport_->lose_connection();
}

void protocol::fail_with_current_exception() {
  reason_ = failure::current();
  loop().scheduler().logger().error("[{}] unhandled exception: {}: {}", log_prefix(),
                                    reason_.type_name(), reason_.message());
  quit(reason_.to_caf_error());
}

void protocol::on_exit() {
  // Nothing may leave here: the actor ends in a destructor (pinned_actor::enter).
  const auto guarded = [this](const char* where, auto&& fn) {
    try {
      fn();
    } catch (...) {
      const auto f = failure::current();
      loop().scheduler().logger().error("[{}] unhandled exception in {}: {}: {}", log_prefix(),
                                        where, f.type_name(), f.message());
    }
  };
  if (transport_ != nullptr) {
    // Does nothing where it was the transport that ended.
    guarded("stop_producing", [this] { transport_->protocol_ended(); });
    if (!reason_) { // the actor quit, or was told to
      const auto& why = fail_state_;
      reason_ = !why || why == caf::exit_reason::normal ? failure{errc::connection_done}
                : why == caf::exit_reason::user_shutdown && loop().stopping()
                  ? failure{errc::runtime_stopped}
                  : failure{why};
    }
    guarded("connection_lost", [this] { connection_lost(reason_); });
    transport_ = nullptr;
  }
  if (factory_)
    factory::child_ended(std::move(factory_));
  super::on_exit();
}

} // namespace troupe
