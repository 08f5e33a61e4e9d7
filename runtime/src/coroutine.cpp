#include <troupe/runtime/coroutine.hpp>

#include <vector>

#include <troupe/runtime/basic_actor.hpp>

namespace troupe::detail {

// The link of an awaited deferred, always its last one.
struct coroutine_base::wake_up {
  std::coroutine_handle<> handle;
  coroutine_base* self;

  static deferred_state* act(deferred_slot& slot, deferred_state* s) {
    auto [handle, self] = slot.get<wake_up>();
    self->awaited_ = nullptr;
    self->leave_list();
    if (s == nullptr) { // abandoned; and so is what waits for the coroutine
      auto* state = std::exchange(self->state_, nullptr);
      handle.destroy();
      return state;
    }
    // If the coroutine ends, its own chain is not run from within but handed to the loop that
    // runs this one, so that however many wait for one another, the stack does not grow.
    deferred_state* next = nullptr;
    self->next_ = &next;
    if (self->actor_ == nullptr)
      handle.resume();
    else
      self->actor_->run_inside([](void* h) { std::coroutine_handle<>::from_address(h).resume(); },
                               handle.address());
    return next;
  }

  static deferred_state* forget(deferred_slot&, deferred_state*) { return nullptr; }
};

coroutine_base::coroutine_base(basic_actor* actor)
  : state_(deferred_state::make(3, source_location::current())), actor_(actor) {
  state_->set_canceller<coroutine_base*>(&cancel, this);
  state_->canceller_decides();
}

coroutine_base::~coroutine_base() {
  if (state_ != nullptr) { // destroyed where it waited
    state_->abandon();
    state_->release();
  }
}

bool coroutine_base::enlist(std::coroutine_handle<> self) {
  auto** head = actor_->waiting_coroutines();
  if (head == nullptr)
    return false;
  handle_ = self;
  previous_ = head;
  next_in_list_ = *head;
  if (next_in_list_ != nullptr)
    next_in_list_->previous_ = &next_in_list_;
  *head = this;
  return true;
}

void coroutine_base::leave_list() noexcept {
  if (previous_ == nullptr)
    return;
  *previous_ = next_in_list_;
  if (next_in_list_ != nullptr)
    next_in_list_->previous_ = previous_;
  previous_ = nullptr;
}

void coroutine_base::destroy_all(coroutine_base*& first) noexcept {
  std::vector<deferred_state*> awaited;
  while (first != nullptr) {
    auto& c = *first;
    c.leave_list();
    // The frame holds the deferred that it waits for, and with it the link that would wake it.
    auto* const state = std::exchange(c.awaited_, nullptr);
    state->replace_last_link(&wake_up::forget);
    state->retain();
    awaited.push_back(state);
    c.handle_.destroy();
  }
  // When none is left, for what is called now may fire what another one waited for.
  for (auto* const state : awaited) {
    state->disown();
    state->release();
  }
}

void coroutine_base::wait_for(deferred_state& awaited, std::coroutine_handle<> self) {
  next_ = nullptr;
  if (actor_ != nullptr && !enlist(self)) // the actor has ended: nothing runs as it any more
    return self.destroy();
  awaited_ = &awaited;
  const bool cancel = std::exchange(cancel_next_, false);
  awaited.retain();
  awaited.add<wake_up>(&wake_up::act, wake_up{self, this});
  // If it is an abandoned one, the coroutine is gone by now.
  if (cancel)
    awaited.cancel();
  awaited.release();
}

deferred_state* coroutine_base::cancel(deferred_slot& slot, deferred_state* s) {
  if (s == nullptr)
    return nullptr;
  auto* self = slot.get<coroutine_base*>();
  if (self->awaited_ == nullptr)
    self->cancel_next_ = true;
  return self->awaited_;
}

void coroutine_base::finish(deferred_state* state, deferred_state** next) noexcept {
  state->mark_called(source_location::current());
  if (next != nullptr) {
    *next = state;
  } else {
    state->run();
    state->release();
  }
}

void wait_for(deferred_state& awaited, std::coroutine_handle<> self) {
  struct wake_up {
    std::coroutine_handle<> handle;
  };
  awaited.add<wake_up>(
    [](deferred_slot& slot, deferred_state* s) -> deferred_state* {
      const auto handle = slot.get<wake_up>().handle;
      if (s != nullptr)
        handle.resume();
      else
        handle.destroy();
      return nullptr;
    },
    wake_up{self});
}

} // namespace troupe::detail
