#include <troupe/actors/ask.hpp>

#include "receiver_watches.hpp"

namespace troupe::detail {

void question_base::watch(basic_actor& asker, const caf::strong_actor_ptr& receiver) {
  asker_ = asker.ctrl();
  receiver_ = receiver.get();
  watches_ = receiver_watches::of(asker.home_system());
  watches_->add(*this);
}

void question_base::answered() noexcept {
  if (const auto watches = std::move(watches_))
    watches->remove(*this);
}

} // namespace troupe::detail
