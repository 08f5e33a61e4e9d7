#include "loop_clock.hpp"

#include <utility>
#include <vector>

#include <caf/actor_control_block.hpp>
#include <caf/group.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

std::uint64_t key_of(caf::atom_value type) noexcept {
  return static_cast<std::uint64_t>(type);
}

std::uint64_t key_of(caf::message_id id) noexcept {
  return id.request_id().integer_value() | caf::message_id::response_flag_mask;
}

// CAF adds the time that it waits to the present one without a look at the end of time, and what
// goes beyond comes out as a moment before the clock began: it was for ever.
time_point not_overflown(time_point t) noexcept {
  return t < time_point{} ? time_point::max() : t;
}

} // namespace

event_loop& loop_clock::home() noexcept {
  auto* const current = event_loop::current();
  return current != nullptr ? *current : scheduler_.loop(0);
}

caf::actor_clock::time_point loop_clock::now() const noexcept {
  auto* const current = event_loop::current();
  return (current != nullptr ? *current : scheduler_.loop(0)).time();
}

template <class Fire>
void loop_clock::set(time_point t, caf::abstract_actor* self, key k, Fire fire) {
  t = not_overflown(t);
  auto& loop = home();
  const auto serial = serials_.fetch_add(1, std::memory_order_relaxed);
  auto& part = shard_of(self);
  delayed_call call;
  if (loop.is_current())
    call = loop.timers().add(t, std::move(fire)(serial));
  timer replaced{};
  {
    const std::lock_guard hold{part.mutex};
    auto& timers = part.actors[self];
    if (timers.empty())
      actors_.store(1, std::memory_order_relaxed);
    replaced = std::exchange(timers[k], timer{&loop, serial, call});
  }
  if (replaced.loop != nullptr)
    drop(replaced);
  if (loop.is_current())
    return;
  loop.post([this, t, self = caf::strong_actor_ptr{self->ctrl()}, k, serial,
             fire = std::move(fire)]() mutable {
    auto& s = shard_of(self->get());
    const std::lock_guard hold{s.mutex};
    const auto actor = s.actors.find(self->get());
    if (actor == s.actors.end())
      return; // cancelled on the way
    const auto found = actor->second.find(k);
    if (found == actor->second.end() || found->second.serial != serial)
      return;
    found->second.call = event_loop::current()->timers().add(t, std::move(fire)(serial));
  });
}

void loop_clock::set_ordinary_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                      std::uint64_t id) {
  caf::strong_actor_ptr strong{self->ctrl()};
  set(t, self, key_of(type), [this, strong, type, id](std::uint64_t serial) mutable {
    return task{[this, strong = std::move(strong), type, id, serial] {
      if (take(strong->get(), key_of(type), serial))
        strong->get()->eq_impl(caf::make_message_id(), strong, nullptr, caf::timeout_msg{type, id});
    }};
  });
}

void loop_clock::set_multi_timeout(time_point t, caf::abstract_actor* self, caf::atom_value type,
                                   std::uint64_t id) {
  at(t, [strong = caf::strong_actor_ptr{self->ctrl()}, type, id] {
    strong->get()->eq_impl(caf::make_message_id(), strong, nullptr, caf::timeout_msg{type, id});
  });
}

void loop_clock::set_request_timeout(time_point t, caf::abstract_actor* self, caf::message_id id) {
  caf::strong_actor_ptr strong{self->ctrl()};
  set(t, self, key_of(id), [this, strong, id](std::uint64_t serial) mutable {
    return task{[this, strong = std::move(strong), id, serial] {
      if (take(strong->get(), key_of(id), serial))
        strong->get()->eq_impl(id, strong, nullptr, caf::make_error(caf::sec::request_timeout));
    }};
  });
}

void loop_clock::cancel_ordinary_timeout(caf::abstract_actor* self, caf::atom_value type) {
  cancel(self, key_of(type));
}

void loop_clock::cancel_request_timeout(caf::abstract_actor* self, caf::message_id id) {
  cancel(self, key_of(id));
}

void loop_clock::cancel(caf::abstract_actor* self, key k) {
  if (actors_.load(std::memory_order_relaxed) == 0)
    return;
  auto& part = shard_of(self);
  timer found{};
  {
    const std::lock_guard hold{part.mutex};
    const auto actor = part.actors.find(self);
    if (actor == part.actors.end())
      return;
    const auto i = actor->second.find(k);
    if (i == actor->second.end())
      return;
    found = i->second;
    actor->second.erase(i);
  }
  drop(found);
}

void loop_clock::cancel_timeouts(caf::abstract_actor* self) {
  if (actors_.load(std::memory_order_relaxed) == 0)
    return; // nobody ever set one: the usual case where millions of actors come and go
  auto& part = shard_of(self);
  std::unordered_map<key, timer> timers;
  {
    const std::lock_guard hold{part.mutex};
    const auto actor = part.actors.find(self);
    if (actor == part.actors.end())
      return;
    timers = std::move(actor->second);
    part.actors.erase(actor);
  }
  for (auto& [k, t] : timers)
    drop(t);
}

// Never with a shard's mutex held: the function of a timer holds its actor, whose end comes back
// here.
void loop_clock::drop(timer& t) {
  if (t.call == delayed_call{})
    return; // still on the way to its loop, where it will not be found
  if (t.loop->is_current()) {
    if (t.call.active())
      t.call.cancel();
    return;
  }
  t.loop->post([call = t.call]() mutable {
    if (call.active())
      call.cancel();
  });
}

bool loop_clock::take(caf::abstract_actor* self, key k, std::uint64_t serial) {
  auto& part = shard_of(self);
  const std::lock_guard hold{part.mutex};
  const auto actor = part.actors.find(self);
  if (actor == part.actors.end())
    return false;
  const auto i = actor->second.find(k);
  if (i == actor->second.end() || i->second.serial != serial)
    return false;
  actor->second.erase(i);
  return true;
}

void loop_clock::at(time_point t, task fn) {
  t = not_overflown(t);
  auto& loop = home();
  if (loop.is_current()) {
    loop.timers().add(t, std::move(fn));
    return;
  }
  loop.post(
    [t, fn = std::move(fn)]() mutable { event_loop::current()->timers().add(t, std::move(fn)); });
}

void loop_clock::schedule_message(time_point t, caf::strong_actor_ptr receiver,
                                  caf::mailbox_element_ptr content) {
  at(t, [receiver = std::move(receiver), content = std::move(content)]() mutable {
    receiver->enqueue(std::move(content), event_loop::current());
  });
}

void loop_clock::schedule_message(time_point t, caf::group target, caf::strong_actor_ptr sender,
                                  caf::message content) {
  at(t, [target = std::move(target), sender = std::move(sender),
         content = std::move(content)]() mutable {
    if (target)
      target->eq_impl(caf::make_message_id(), std::move(sender), event_loop::current(),
                      std::move(content));
  });
}

void loop_clock::cancel_all() {
  for (auto& part : shards_) {
    std::unordered_map<caf::abstract_actor*, std::unordered_map<key, timer>> actors;
    const std::lock_guard hold{part.mutex};
    actors.swap(part.actors);
  }
}

} // namespace troupe::detail
