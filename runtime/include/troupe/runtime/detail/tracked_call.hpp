#pragma once

#include <utility>

#include <troupe/runtime/clock.hpp>

namespace troupe::detail {

/// A delayed call whose owner knows by itself whether it is pending. So a clock that ends first, as
/// an actor's own does, is never asked; and the owner may then be destroyed in any thread.
///
/// The owner does not move while a call is pending. Its destructor takes the call back.
class tracked_call {
public:
  tracked_call() = default;
  ~tracked_call() { cancel(); }
  tracked_call(const tracked_call&) = delete;
  tracked_call& operator=(const tracked_call&) = delete;

  /// Schedules `fn`; none must be pending.
  template <class F>
  void start(clock& c, duration delay, F fn) {
    // The mark goes first when the call is dropped, for `fn` may own this object.
    call_ = c.call_later(delay, [fn = std::move(fn), mark = pending_mark{this}]() mutable {
      mark.clear();
      fn();
    });
    pending_ = true;
  }

  [[nodiscard]] bool pending() const noexcept { return pending_; }

  /// Takes the call back, if it is pending.
  void cancel() noexcept {
    if (std::exchange(pending_, false))
      call_.cancel();
  }

private:
  struct pending_mark {
    explicit pending_mark(tracked_call* of) noexcept : owner(of) {}
    pending_mark(pending_mark&& other) noexcept : owner(std::exchange(other.owner, nullptr)) {}
    ~pending_mark() { clear(); }
    void clear() noexcept {
      if (owner != nullptr)
        std::exchange(owner, nullptr)->pending_ = false;
    }
    tracked_call* owner;
  };

  delayed_call call_;
  bool pending_ = false;
};

} // namespace troupe::detail
