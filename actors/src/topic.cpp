#include <troupe/actors/topic.hpp>

#include <stdexcept>

#include <caf/actor_cast.hpp>

#include <troupe/runtime/pinned_actor.hpp>
#include <troupe/runtime/runtime.hpp>

#include "topic_state.hpp"

namespace troupe {

except::except(const caf::actor& who) noexcept : who_(caf::actor_cast<caf::abstract_actor*>(who)) {}

topic::topic() noexcept = default;
topic::topic(runtime& rt)
  : state_(caf::intrusive_ptr{new detail::topic_state{detail::topic_home{rt.scheduler()}}}) {}
topic::topic(caf::intrusive_ptr<detail::topic_state> state) noexcept : state_(std::move(state)) {}
topic::topic(const topic&) noexcept = default;
topic::topic(topic&&) noexcept = default;
topic& topic::operator=(const topic&) noexcept = default;
topic& topic::operator=(topic&&) noexcept = default;
topic::~topic() = default;

detail::topic_state& topic::state() const {
  if (!state_)
    throw std::logic_error("topic: this handle refers to no topic");
  return *state_;
}

caf::actor topic::as_actor(basic_actor& self) {
  return caf::actor_cast<caf::actor>(&self);
}

// Bytes and topics do not travel; and subscribers are kept by the loops of the topic's own runtime.
bool topic::is_near(const caf::actor& who) const {
  auto& here = state().system();
  return &who.home_system() == &here && (!state().alive() || who.node() == here.node());
}

void topic::refuse_subscriber() {
  throw std::logic_error("topic: an actor of another node or runtime cannot subscribe; "
                         "subscribe one of this runtime that passes on what is published");
}

void topic::expect_near(const caf::actor& who) const {
  if (!is_near(who))
    refuse_subscriber();
}

void topic::subscribe(const caf::actor& who) const {
  if (!who)
    throw std::logic_error("topic: subscribe needs an actor");
  expect_near(who);
  state().subscribe(caf::actor_cast<caf::strong_actor_ptr>(who));
}

void topic::subscribe_here(pinned_actor& self, detail::write_published write) const {
  if (&self.home_system() != &state().system())
    refuse_subscriber();
  self.loop().expect_here("subscribe", "subscribe its handle, a caf::actor");
  state().subscribe_here(self, write);
}

void topic::unsubscribe_here(pinned_actor& self) const {
  if (&self.home_system() != &state().system())
    return; // it never was a subscriber
  self.loop().expect_here("unsubscribe", "unsubscribe its handle, a caf::actor");
  state().unsubscribe_here(self);
}

void topic::unsubscribe(const caf::actor& who) const {
  if (!who)
    throw std::logic_error("topic: unsubscribe needs an actor");
  if (is_near(who)) // else it never was a subscriber
    state().unsubscribe(caf::actor_cast<caf::strong_actor_ptr>(who));
}

void topic::publish(const shared_bytes& bytes, except left_out) const {
  state().publish(bytes, left_out.who());
}

void topic::publish(std::string_view text, except left_out) const {
  state().publish(text, left_out.who());
}

void topic::observe_drops(const caf::actor& who) const {
  if (who)
    expect_near(who);
  state().observe_drops(who);
}

std::size_t topic::subscribers() const noexcept {
  return state_ ? state_->count() : 0;
}

const std::string& topic::name() const noexcept {
  static const std::string none;
  return state_ ? state_->name() : none;
}

} // namespace troupe
