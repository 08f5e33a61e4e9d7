#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <troupe/runtime/time.hpp>

/// How much somebody may say whatever the room is like: so much at once, and so much a second. Nobody
/// types as fast, so people are never held back; programs that talk without end are.
///
/// It may be overdrawn by what is said in one go, and nothing may be said until that has come back.
class talk_budget {
public:
  static constexpr std::int32_t burst = 16 * 1024;        // bytes
  static constexpr std::int32_t rate = 4 * 1024;          // bytes a second
  static constexpr std::int32_t deepest_debt = 64 * 1024; // so that nobody is silenced for long

  /// Tells whether something may be said at `now`.
  [[nodiscard]] bool left(troupe::time_point now) noexcept {
    const auto ms = milliseconds(now);
    const auto more = std::uint64_t{ms - since_} * rate / 1000;
    if (more > 0) {
      level_ = static_cast<std::int32_t>(
        std::min<std::int64_t>(burst, level_ + static_cast<std::int64_t>(more)));
      since_ = ms;
    }
    return level_ > 0;
  }

  void spend(std::size_t bytes) noexcept {
    level_ = static_cast<std::int32_t>(
      std::max<std::int64_t>(-deepest_debt, level_ - static_cast<std::int64_t>(bytes)));
  }

  /// What was said too much is no debt: the room had room for it.
  void forgive() noexcept { level_ = std::max(level_, 0); }

  /// Returns how long it takes until something may be said again.
  [[nodiscard]] troupe::duration wait() const noexcept {
    return std::chrono::milliseconds((1 - std::min(level_, 0)) * std::int64_t{1000} / rate + 1);
  }

private:
  static std::uint32_t milliseconds(troupe::time_point t) noexcept {
    return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(t.time_since_epoch()).count());
  }

  std::int32_t level_ = burst;
  std::uint32_t since_ = 0; // milliseconds; a burst is back long before they come round
};
