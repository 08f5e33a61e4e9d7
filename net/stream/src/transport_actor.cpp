#include <troupe/net/transport_actor.hpp>

#include <typeinfo>

#include <caf/behavior.hpp>
#include <caf/exit_reason.hpp>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe {

transport_actor::transport_actor(caf::actor_config& cfg) : super(cfg) {
  set_exception_handler([](caf::scheduled_actor* self, std::exception_ptr& e) -> caf::error {
    try {
      std::rethrow_exception(e);
    } catch (...) {
      static_cast<transport_actor*>(self)->fail_with_current_exception();
    }
    return failure{e}.to_caf_error();
  });
}

transport_actor::~transport_actor() = default;

std::string transport_actor::log_prefix() const {
  return detail::class_name(typeid(*this));
}

// One that takes no messages still needs a behavior, or CAF would take it for ended. One for all: each
// of its own would cost a connection 130 bytes.
caf::behavior transport_actor::make_behavior() {
  static const caf::behavior nothing{[](caf::unit_t) {
  }};
  return nothing;
}

std::string transport_actor::log_name() const {
  return log_prefix();
}

caf::error transport_actor::exit_reason(const failure& reason, errc clean) {
  if (reason.check(clean))
    return caf::exit_reason::normal;
  if (reason.check(errc::runtime_stopped))
    return caf::exit_reason::user_shutdown;
  return reason.to_caf_error();
}

failure transport_actor::quit_reason() const {
  const auto& why = fail_state_;
  if (!why || why == caf::exit_reason::normal)
    return errc::connection_done;
  if (why == caf::exit_reason::user_shutdown && loop().stopping())
    return errc::runtime_stopped;
  return why;
}

void transport_actor::log_exception(const char* name) const noexcept {
  detail::note_place(name);
  log_current_exception();
}

} // namespace troupe
