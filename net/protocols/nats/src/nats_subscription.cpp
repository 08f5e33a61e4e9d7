#include <troupe/nats/nats_subscription.hpp>

#include <stdexcept>
#include <utility>

#include "nats_core.hpp"

namespace troupe {

nats_subscription::nats_subscription(std::weak_ptr<detail::nats_core> of,
                                     std::shared_ptr<detail::nats_subscribed> state) noexcept
  : core_(std::move(of)), state_(std::move(state)) {}

nats_subscription::nats_subscription(nats_subscription&& other) noexcept = default;

nats_subscription& nats_subscription::operator=(nats_subscription&& other) noexcept {
  if (this != &other) {
    unsubscribe();
    core_ = std::move(other.core_);
    state_ = std::move(other.state_);
  }
  return *this;
}

nats_subscription::~nats_subscription() {
  unsubscribe();
}

void nats_subscription::unsubscribe() {
  if (!state_)
    return;
  if (const auto core = core_.lock())
    core->unsubscribe(state_, errc::cancelled);
}

void nats_subscription::detach() noexcept {
  state_ = nullptr;
  core_.reset();
}

deferred<void> nats_subscription::drain() {
  const auto core = core_.lock();
  return core && state_ ? core->drain(state_) : succeed();
}

deferred<nats_message> nats_subscription::next() {
  if (!state_)
    return fail<nats_message>(errc::connection_done);
  if (!state_->queued())
    throw std::logic_error("nats_subscription::next: its messages go elsewhere");
  if (const auto core = core_.lock())
    return core->next(state_);
  return fail<nats_message>(errc::connection_done);
}

nats_subscription_counts nats_subscription::counts() const noexcept {
  if (!state_)
    return {};
  return {.delivered = state_->delivered,
          .dropped = state_->dropped,
          .pending_messages = state_->pending->messages.load(std::memory_order_relaxed),
          .pending_bytes = state_->pending->bytes.load(std::memory_order_relaxed)};
}

bool nats_subscription::active() const noexcept {
  return state_ && state_->active;
}

} // namespace troupe
