#include <troupe/net/listening_port.hpp>

#include "port_actor.hpp"

namespace troupe {

namespace {

detail::port_actor& actor_of(const caf::strong_actor_ptr& actor) {
  if (!actor)
    throw std::logic_error("this listening_port names no port");
  return *static_cast<detail::port_actor*>(caf::actor_cast<caf::abstract_actor*>(actor));
}

} // namespace

cannot_listen_error::cannot_listen_error(net_address where, std::error_code reason,
                                         const std::string& detail)
  : cannot_listen_error("listen on", std::move(where), reason, detail) {}

cannot_listen_error::cannot_listen_error(const char* what, net_address where,
                                         std::error_code reason, const std::string& detail)
  : std::system_error(reason), where_(std::move(where)),
    text_(std::string("Couldn't ") + what + ' ' + where_.to_string() + ": "
          + (detail.empty() ? reason.message() : detail + ": " + reason.message())) {}

cannot_listen_error cannot_listen_error::connecting(net_address to, std::error_code reason,
                                                    const std::string& detail) {
  return {"connect to", std::move(to), reason, detail};
}

const net_address& listening_port::get_host() const {
  if (!host_)
    throw std::logic_error("this listening_port names no port");
  return *host_;
}

chained<void> listening_port::stop_listening() {
  auto& a = actor_of(actor_);
  a.loop().expect_here("stop_listening", "use call_from_thread");
  if (a.loop().is_current())
    return a.stop_listening();
  promise<void> done;
  auto result = chained<void>(done.get_deferred());
  a.loop().post([actor = actor_, end = std::make_shared<promise<void>>(std::move(done))] {
    actor_of(actor).stop_listening().add_callbacks([end] { end->callback(); },
                                                   [end](const failure& f) { end->errback(f); });
  });
  return result;
}

void listening_port::start_listening() {
  auto& a = actor_of(actor_);
  a.loop().expect_here("start_listening", "use call_from_thread");
  a.start_listening();
}

} // namespace troupe
