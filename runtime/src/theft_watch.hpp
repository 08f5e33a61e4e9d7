#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include <time.h>

#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/detail/cpu.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe::detail {

/// What a loop learns from having taken floating actors from others: whether that pays.
///
/// Actors that are taken away from those with whom they talk cost more than a second loop gains: what they send is made
/// in one thread and given back in another, each time. That is what is measured while what was taken runs:
/// how many more messages and actors this thread makes than it destroys, or the reverse. If they are many, the actors
/// go back, and the loop leaves others alone for a while, for longer each time.
///
/// Time is the processor's ticks, and the thread's own time: what other processes take from it is no gain.
///
/// Thread: that of the loop, unless a member says otherwise.
class theft_watch {
public:
  explicit theft_watch(std::size_t loops) : seen_(loops, nothing_waited) {}

  // -- a theft ------------------------------------------------------------------------------------

  /// The loop has stolen from loop `victim`.
  void begin(std::size_t victim) noexcept {
    watching_ = true;
    victim_ = victim;
    begin_span(thread_time());
  }

  [[nodiscard]] bool is_watching() const noexcept { return watching_; }

  /// Tells whether it is time to look again.
  [[nodiscard]] bool is_due() const noexcept { return cpu_ticks() - looked_at_ > 2 * unit_; }

  /// Returns whether what was stolen should not have been; the loop rests then.
  ///
  /// \param is_over  nothing is left of it
  [[nodiscard]] bool was_bad(bool is_over) noexcept {
    const auto now = thread_time();
    const auto span = now - began_;
    const auto flow = std::abs(blocks_taken_since(blocks_));
    // What is over soon was hardly worth the way; what took longer was, whatever came with it.
    const bool bad =
      flow > least_flow && (is_over ? span < short_span : flow > most_in_a_us * (span / 1000));
    watching_ = !bad && !is_over;
    looked_at_ = cpu_ticks();
    if (bad) {
      rest_ = std::clamp(2 * rest_, shortest_rest * unit_, longest_rest * unit_);
      rests_until_ = looked_at_ + rest_;
    } else if (span > long_span) {
      rest_ /= flow < span / 1000 ? 2 : 1;
      begin_span(now);
    }
    return bad;
  }

  /// Returns from which loop it was.
  [[nodiscard]] std::size_t victim() const noexcept { return victim_; }

  /// Returns for how long the loop still leaves others alone; zero if it does not.
  [[nodiscard]] duration rests_for() const noexcept {
    const auto left = static_cast<std::int64_t>(rests_until_ - cpu_ticks());
    return left <= 0 || rest_ == 0
             ? duration::zero()
             : std::chrono::microseconds(100) * (1 + left / static_cast<std::int64_t>(unit_));
  }

  /// Tells whether the loop sleeps and is not to be woken for work of others. Thread: any.
  [[nodiscard]] bool sleeps_in() const noexcept {
    return sleeps_in_.load(std::memory_order_relaxed);
  }
  void sleep_in(bool on) noexcept { sleeps_in_.store(on, std::memory_order_relaxed); }

  // -- others that do not get on --------------------------------------------------------------------

  /// Of a loop where no actor waits.
  static constexpr std::uint64_t nothing_waited = UINT64_MAX;

  /// Notes what the others have done when the loop has nothing to do: `resumed(i)` actors were resumed by loop `i`.
  template <class F>
  void note_progress(F resumed) noexcept {
    seen_at_ = cpu_ticks();
    for (std::size_t i = 0; i < seen_.size(); ++i)
      seen_[i] = resumed(i);
  }

  /// Tells whether a loop where some waited, and that has resumed so many by now, is blocked, or has actors that take
  /// long: then what waits there is worth being stolen.
  [[nodiscard]] bool is_slow(std::size_t loop, std::uint64_t resumed) const noexcept {
    return seen_[loop] != nothing_waited
           && (cpu_ticks() - seen_at_) / (resumed - seen_[loop] + 1) > long_job * unit_;
  }

private:
  // Where a message comes with work of 300 ns, moving it costs as much as is won.
  static constexpr std::int64_t most_in_a_us = 3;
  static constexpr std::int64_t least_flow = 8;
  static constexpr std::int64_t short_span = 64'000; // ns
  static constexpr std::int64_t long_span = 500'000;
  static constexpr std::uint64_t long_job = 10; // units of some 100 us
  static constexpr std::uint64_t shortest_rest = 5;
  static constexpr std::uint64_t longest_rest = 500;

  // In nanoseconds.
  static std::int64_t thread_time() noexcept {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1'000'000'000 + t.tv_nsec;
  }

  void begin_span(std::int64_t now) noexcept {
    blocks_ = block_mark();
    began_ = now;
    looked_at_ = cpu_ticks();
  }

  const std::uint64_t unit_ = cpu_ticks_of_100_us();
  bool watching_ = false;
  std::size_t victim_ = 0;
  std::int64_t began_ = 0; // the present span
  std::uint64_t blocks_ = 0;
  std::uint64_t looked_at_ = 0;
  std::uint64_t rest_ = 0; // how long the latest one was, or less: what pays shortens the next one
  std::uint64_t rests_until_ = 0;
  std::uint64_t seen_at_ = 0;
  std::vector<std::uint64_t> seen_;
  std::atomic<bool> sleeps_in_{false};
};

} // namespace troupe::detail
