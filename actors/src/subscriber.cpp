#include "subscriber.hpp"

#include <memory>
#include <unordered_map>

#include <asio/execution_context.hpp>

#include <caf/abstract_actor.hpp>

#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe::detail {

namespace {

// Asks each thing that is attached to an actor whether it is the one; CAF has no other way to look
// through them. No subtype of CAF's has this number.
struct finder {
  static constexpr std::size_t token_type = 0x74727031;
  mutable pinned_subscriber* found = nullptr;
};

/// The actors without a loop whose subscriptions one loop keeps.
class floating_subscribers final : public asio::execution_context::service {
public:
  using key_type = floating_subscribers; // as Asio wants it
  static inline asio::execution_context::id id;
  using asio::execution_context::service::service;

  // By control block, which stays as long as the subscriber refers to it.
  std::unordered_map<const caf::actor_control_block*, floating_subscriber> all;

private:
  void shutdown() override { all.clear(); }
};

auto& floating_subscribers_of(event_loop& home) {
  return asio::use_service<floating_subscribers>(home.io()).all;
}

} // namespace

// -- subscriber ---------------------------------------------------------------------------------

std::uint32_t subscriber::find(const topic_subscribers& topic) const noexcept {
  for (std::uint32_t i = 0; i < subscriptions.size(); ++i)
    if (subscriptions[i].topic == &topic)
      return i;
  return subscriber_list::none;
}

void subscriber::add(topic_subscribers& topic, subscriber_entry entry, event_loop& home) {
  entry.who = this;
  entry.slot = static_cast<std::uint32_t>(subscriptions.size());
  const bool reads = entry.write == nullptr;
  subscriptions.push_back({caf::intrusive_ptr<topic_subscribers>{&topic}, 0, reads});
  subscriptions.back().index = topic.list(home, reads).add(entry);
}

void subscriber::remove(std::uint32_t slot, event_loop& home) noexcept {
  const auto gone = std::move(subscriptions[slot]); // the topic may end with it
  gone.topic->list(home, gone.reads).remove(gone.index);
  if (slot + 1 != subscriptions.size()) {
    auto& moved = subscriptions[slot] = std::move(subscriptions.back());
    moved.topic->list(home, moved.reads).at(moved.index).slot = slot;
  }
  subscriptions.pop_back();
  gone.topic->left(home);
}

void subscriber::remove_all(event_loop& home) noexcept {
  while (!subscriptions.empty())
    remove(static_cast<std::uint32_t>(subscriptions.size() - 1), home);
}

// -- of pinned actors ---------------------------------------------------------------------------

pinned_subscriber* pinned_subscriber::of(pinned_actor& who) {
  const finder look;
  who.detach(caf::attachable::token{look});
  return look.found;
}

pinned_subscriber* pinned_subscriber::make(pinned_actor& who) {
  if (auto* found = of(who))
    return found;
  if (who.getf(caf::abstract_actor::is_cleaned_up_flag))
    return nullptr;
  auto made = std::make_unique<pinned_subscriber>();
  auto* const result = made.get();
  who.attach(std::move(made));
  return result;
}

// A pinned actor ends in a turn of its loop; or behind the last one, when nobody publishes any more.
void pinned_subscriber::actor_exited(const caf::error&, caf::execution_unit*) {
  if (auto* const home = event_loop::current())
    remove_all(*home);
}

bool pinned_subscriber::matches(const caf::attachable::token& what) {
  if (what.subtype == finder::token_type)
    static_cast<const finder*>(what.ptr)->found = this;
  return false; // it is not to be detached
}

// -- of any actor -------------------------------------------------------------------------------

pinned_actor* as_pinned(const caf::strong_actor_ptr& who) noexcept {
  return dynamic_cast<pinned_actor*>(who->get());
}

event_loop& home_of(const caf::strong_actor_ptr& who) {
  if (auto* const pinned = as_pinned(who))
    return pinned->loop();
  auto& scheduler = loop_scheduler::of(*who->home_system);
  return scheduler.loop(who->id() % scheduler.size());
}

subscriber* find_subscriber(const caf::strong_actor_ptr& who, event_loop& home) {
  if (auto* const pinned = as_pinned(who))
    return pinned_subscriber::of(*pinned);
  auto& all = floating_subscribers_of(home);
  const auto found = all.find(who.get());
  return found != all.end() ? &found->second : nullptr;
}

subscriber* make_subscriber(const caf::strong_actor_ptr& who, event_loop& home) {
  if (auto* const pinned = as_pinned(who))
    return pinned_subscriber::make(*pinned);
  const auto [found, made] = floating_subscribers_of(home).try_emplace(who.get(), who);
  if (made) // if it has ended, this is called at once, and what it posts comes after this
    who->get()->attach_functor([key = caf::actor_cast<caf::weak_actor_ptr>(who), &home] {
      home.post([key, &home] {
        auto& all = floating_subscribers_of(home);
        const auto gone = all.find(key.get());
        if (gone == all.end())
          return;
        gone->second.remove_all(home);
        all.erase(gone);
      });
    });
  return &found->second;
}

} // namespace troupe::detail
