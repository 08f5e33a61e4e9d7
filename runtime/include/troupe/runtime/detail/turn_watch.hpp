#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <typeinfo>

#include <troupe/runtime/detail/cpu.hpp>
#include <troupe/runtime/detail/loop_counting.hpp>
#include <troupe/runtime/options.hpp>

namespace troupe::detail {

/// Watches how long the turns of a loop take: ends what goes on for too long, and knows what it was.
///
/// A turn consists of shares (I/O, delayed calls, functions, actors), a share of steps. After each
/// step `step_was_long()` reads the processor's counter; only when some 100 us have passed is there a
/// look at the clock, and only then are names sought.
///
/// Thread: that of the loop.
class turn_watch {
public:
  /// What ran for long: who it was, as far as that is known, and in which callback.
  struct culprit {
    duration took{};
    const char* kind = "its work";        // or "a delayed call"
    const std::type_info* what = nullptr; // the function; may be null
    const std::type_info* who = nullptr;  // the actor that ran, or was entered first; may be null
    const char* callback = nullptr;       // of `who`
  };

  turn_watch(std::size_t loop, const runtime_options& options, const clock* time_source,
             loop_counting& counting) noexcept
    : loop_(loop), options_(options), counting_(counting),
      between_looks_(time_source == nullptr ? cpu_ticks_of_100_us() : 0) {}

  /// The present turn begins at `now`, not before.
  void begin_turn(time_point now) noexcept {
    began_ = now;
    looked(now);
  }

  /// The present turn ends at `now`, and the next one begins. Counts its length, and logs it if it was
  /// too long.
  void end_turn(time_point now, spdlog::logger& log) noexcept;

  void begin_share() noexcept {
    share_ends_ = saturating_add(looked_at_, options_.time_per_turn);
    begin_step();
  }
  void begin_step(const std::type_info* who = nullptr) noexcept {
    who_ = who;
    callback_ = nullptr;
  }

  /// An actor is entered: the first one in a step gives it its name.
  void note(const std::type_info& who, const char* callback) noexcept {
    if (who_ != nullptr)
      return;
    who_ = &who;
    callback_ = callback;
  }

  /// Tells whether the step was so long that `look` must know of it.
  [[nodiscard]] bool step_was_long() const noexcept {
    return cpu_ticks() - looked_ticks_ >= between_looks_;
  }

  /// Looks at the clock after a long step. Returns whether the share is used up.
  ///
  /// \param what  the type of the function that ran, if it has one
  bool look(time_point now, const char* kind, const std::type_info* what) noexcept;

  /// Tells whether the share is used up, in the middle of a step.
  [[nodiscard]] bool share_is_over(time_point now) const noexcept { return now >= share_ends_; }

  /// How long the step took that `look` was told of last.
  [[nodiscard]] duration latest() const noexcept { return latest_; }

  [[nodiscard]] time_point began() const noexcept { return began_; }
  [[nodiscard]] time_point looked_at() const noexcept { return looked_at_; }

private:
  void looked(time_point now) noexcept {
    looked_at_ = now;
    looked_ticks_ = cpu_ticks();
  }
  void warn(duration length, time_point now, spdlog::logger& log);

  const std::size_t loop_;
  const runtime_options& options_;
  loop_counting& counting_;
  const std::uint64_t between_looks_;
  std::uint64_t looked_ticks_ = 0;
  time_point looked_at_{};
  time_point began_{};
  time_point share_ends_{};
  duration latest_{};
  const std::type_info* who_ = nullptr;
  const char* callback_ = nullptr;
  culprit worst_;
  std::string warned_of_; // what the latest warning named, and when that was
  time_point warned_at_{};
  std::uint64_t not_warned_ = 0; // long turns since then that were counted only
};

} // namespace troupe::detail
