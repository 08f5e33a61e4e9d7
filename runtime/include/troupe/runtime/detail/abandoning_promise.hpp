#pragma once

#include <utility>

#include <troupe/runtime/promise.hpp>

namespace troupe::detail {

/// A promise whose owner takes along what waits for it: dropped before it fired, it abandons its
/// deferred (`promise::abandon`) instead of failing it. For calls that are not made because the
/// actor or the clock that had them has ended: callbacks must not run after that.
template <class T>
class abandoning_promise {
public:
  explicit abandoning_promise(promise<T> p = promise<T>{}) noexcept : promise_(std::move(p)) {}
  abandoning_promise(abandoning_promise&&) noexcept = default;
  abandoning_promise& operator=(abandoning_promise&& other) noexcept {
    std::swap(promise_, other.promise_);
    return *this;
  }
  ~abandoning_promise() {
    if (promise_)
      promise_.abandon();
  }

  promise<T>* operator->() noexcept { return &promise_; }

private:
  promise<T> promise_;
};

} // namespace troupe::detail
