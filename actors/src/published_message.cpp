#include "published_message.hpp"

#include <utility>

#include "topic_state.hpp"

namespace troupe::detail {

void published_message::say(topic_state& from, shared_bytes bytes) {
  if (now_ && from_ == &from && now_->is_ours_alone()) {
    now_->value().bytes = std::move(bytes);
    return;
  }
  now_.emplace(caf::make_message(published{from.handle(), std::move(bytes)}));
  from_ = &from;
}

} // namespace troupe::detail
