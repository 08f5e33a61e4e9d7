#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <troupe/runtime/time.hpp>

namespace troupe {

namespace detail {
struct lease_state;
} // namespace detail

/// What anybody may look at a lease with, for as long as it likes; it does not keep it.
///
/// Thread: any.
class lease_view {
public:
  /// Is of no lease: never held.
  lease_view() noexcept = default;

  [[nodiscard]] const std::string& name() const noexcept;

  /// Returns the fencing token: greater than that of every earlier holder of the name. Whoever is asked to do something on
  /// the strength of the lease remembers the greatest token that it has seen and refuses lesser ones; so it is safe from a
  /// holder that was stopped in the middle of its code and does not know yet that it is none any more.
  [[nodiscard]] std::uint64_t token() const noexcept;

  /// Tells whether it is held at this moment, by the clock: no other process can have it.
  [[nodiscard]] bool held() const noexcept;

  /// Returns until when it is held if it is not renewed; the beginning of time if it is not.
  [[nodiscard]] time_point held_until() const noexcept;

protected:
  friend class leases;
  friend class lease;
  explicit lease_view(std::shared_ptr<detail::lease_state> state) noexcept
    : state_(std::move(state)) {}
  std::shared_ptr<detail::lease_state> state_;
};

/// A lease that somebody has. Its end gives it back, and then another may have it at once.
///
/// Thread: as `lease_view`, but for the end and assignments: one at a time.
class [[nodiscard]] lease : public lease_view {
public:
  lease() noexcept = default;
  lease(lease&& other) noexcept : lease_view(std::move(other.state_)) {}
  lease& operator=(lease&& other) noexcept {
    if (this != &other) {
      release();
      state_ = std::move(other.state_);
    }
    return *this;
  }
  ~lease() { release(); }

  /// Gives it back, if it is held; nothing is heard of it any more. What it was for has ended before.
  void release() noexcept;

  /// Lets it end by itself, within `leases_options::ttl`: for when what it was for may not have ended yet.
  void abandon() noexcept;

  [[nodiscard]] lease_view view() const noexcept { return lease_view{state_}; }

private:
  friend class leases;
  explicit lease(std::shared_ptr<detail::lease_state> state) noexcept
    : lease_view(std::move(state)) {}
};

} // namespace troupe
