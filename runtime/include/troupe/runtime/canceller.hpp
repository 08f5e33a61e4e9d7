#pragma once

#include <utility>

#include <troupe/runtime/detail/deferred_state.hpp>

namespace troupe {

template <class T>
class deferred;

/// Cancels a deferred that somebody else holds by now: that a coroutine awaits, or that was given
/// to a list.
///
/// Copies cancel the same one. It neither keeps the deferred nor what waits for it; once that has a
/// result, or is gone, `cancel` does nothing.
///
/// ```cpp
/// auto d = load(name);
/// stop_ = d.canceller();
/// auto data = co_await std::move(d); // stop_.cancel() elsewhere: throws a cancelled_error here
/// ```
///
/// Thread: that of the deferred, its destructor too.
class canceller {
public:
  /// Makes one of nothing.
  canceller() noexcept = default;
  canceller(const canceller& other) noexcept : state_(other.state_) {
    if (state_ != nullptr)
      state_->retain_place();
  }
  canceller(canceller&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  canceller& operator=(canceller other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~canceller() {
    if (state_ != nullptr)
      state_->release_place();
  }

  /// Does what `deferred::cancel` does, if the deferred still waits for its result.
  void cancel() const {
    if (state_ != nullptr && state_->alive())
      state_->cancel();
  }

private:
  template <class>
  friend class deferred;
  explicit canceller(detail::deferred_state& of) noexcept : state_(&of) { state_->retain_place(); }

  detail::deferred_state* state_ = nullptr;
};

} // namespace troupe
