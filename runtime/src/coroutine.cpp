#include <troupe/runtime/coroutine.hpp>

namespace troupe::detail {

// The link of an awaited deferred, always its last one.
struct coroutine_base::wake_up {
  std::coroutine_handle<> handle;
  coroutine_base* self;

  static deferred_state* act(deferred_slot& slot, deferred_state* s) {
    const auto [handle, self] = slot.get<wake_up>();
    self->awaited_ = nullptr;
    if (s == nullptr) { // abandoned; and so is what waits for the coroutine
      auto* state = std::exchange(self->state_, nullptr);
      handle.destroy();
      return state;
    }
    // If the coroutine ends, its own chain is not run from within but handed to the loop that
    // runs this one, so that however many wait for one another, the stack does not grow.
    deferred_state* next = nullptr;
    self->next_ = &next;
    handle.resume();
    return next;
  }
};

coroutine_base::coroutine_base() : state_(deferred_state::make(3, source_location::current())) {
  state_->set_canceller<coroutine_base*>(&cancel, this);
  state_->canceller_decides();
}

coroutine_base::~coroutine_base() {
  if (state_ != nullptr) { // destroyed where it waited
    state_->abandon();
    state_->release();
  }
}

void coroutine_base::wait_for(deferred_state& awaited, std::coroutine_handle<> self) {
  next_ = nullptr;
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
  if (self->awaited_ != nullptr)
    self->awaited_->cancel();
  else
    self->cancel_next_ = true;
  return nullptr;
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
