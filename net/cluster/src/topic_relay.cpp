#include "topic_relay.hpp"

#include "cluster_core.hpp"

namespace troupe::detail {

void topic_relay::carry(const topic& what, const shared_bytes& bytes) {
  if (home_.is_current() && home_.keeps_order()) {
    if (core_ != nullptr)
      core_->carry(what, bytes);
    return;
  }
  home_.post([self = shared_from_this(), what, bytes] {
    if (self->core_ != nullptr)
      self->core_->carry(what, bytes);
  });
}

void topic_relay::subscribers_changed(const std::string& name) noexcept {
  home_.post([self = shared_from_this(), name] {
    if (self->core_ != nullptr)
      self->core_->look_at(name);
  });
}

} // namespace troupe::detail
