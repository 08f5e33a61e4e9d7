#include "published_message.hpp"

#include <utility>

#include "topic_state.hpp"

namespace troupe::detail {

void published_message::say(topic_state& from, shared_bytes bytes) {
  if (is_free(from)) {
    now_->value().bytes = std::move(bytes);
    return;
  }
  now_.emplace(caf::make_message(published{from.handle(), std::move(bytes)}));
  from_ = &from;
}

void published_message::say(topic_state& from, bytes_view bytes) {
  if (is_free(from))
    now_->value().bytes.assign(bytes);
  else
    say(from, shared_bytes{bytes});
}

} // namespace troupe::detail
