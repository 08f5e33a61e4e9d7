#pragma once

#include <optional>

#include <caf/actor_cast.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/message.hpp>

#include <troupe/actors/topic.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe::detail {

/// The message that all readers of one loop get. It is handled by one after the other, so a handler that passes it on
/// takes a copy; as long as nobody did, the next publication is put into the same one.
///
/// Thread: that of the loop, from one turn to its end.
class published_message {
public:
  /// Makes it say that `bytes` were published on `from`.
  void say(topic_state& from, shared_bytes bytes);

  /// The same, with a copy of `bytes`: made in the place of what it said before, if nobody kept that.
  void say(topic_state& from, bytes_view bytes);

  void give(pinned_actor& who) {
    if (!who.handle_now(*now_))
      who.enqueue(now_->copy(), &who.loop().lane());
  }

  void give(const caf::weak_actor_ptr& who, event_loop& home) {
    if (const auto strong = caf::actor_cast<caf::strong_actor_ptr>(who))
      strong->enqueue(now_->copy(), &home);
  }

private:
  class element final : public caf::mailbox_element {
  public:
    explicit element(caf::message content)
      : mailbox_element(nullptr, caf::make_message_id(), {}), content_(std::move(content)),
        held_(content_), values_(const_cast<caf::detail::message_data&>(*held_.cvals())) {}

    caf::type_erased_tuple& content() override { return values_; }
    const caf::type_erased_tuple& content() const override { return values_; }
    caf::message move_content_to_message() override { return content_; }
    caf::message copy_content_to_message() const override { return content_; }

    [[nodiscard]] caf::mailbox_element_ptr copy() const {
      return caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, content_);
    }
    [[nodiscard]] published& value() noexcept {
      return *static_cast<published*>(values_.get_mutable(0));
    }
    [[nodiscard]] bool is_ours_alone() const noexcept {
      return values_.get_reference_count() == 2; // the two below
    }

  private:
    const caf::message content_;
    const caf::message
      held_; // a second holder, so that a handler which changes its argument gets its own
    caf::detail::message_data& values_;
  };

  // Tells whether it can say something else of the same topic.
  [[nodiscard]] bool is_free(const topic_state& from) const noexcept {
    return now_ && from_ == &from && now_->is_ours_alone();
  }

  std::optional<element> now_;
  topic_state* from_ = nullptr; // that it tells of; held by the message
};

} // namespace troupe::detail
