#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <troupe/runtime/timer_queue.hpp>

namespace troupe::detail {

/// Keeps the calls of a `timer_queue` that are not due soon, in no order but roughly that of time, for the next ones to be
/// taken out and sorted.
///
/// It has a `timer_mark` of each, and asks for the rest: `calls` is something with `live(mark)`, `due(mark)` for one that is live,
/// and `fetch(mark)`, which brings what `due` reads into the cache.
///
/// A hierarchical timing wheel without ticks. It has a base, and only what is due later. Times are read as eleven
/// digits of six bits: an entry lies at the level of the first digit in which it differs from the base, in the bucket of that
/// digit. So what lies at a lower level is due earlier, and the buckets of a level are in order. An entry moves down at most
/// once a level, and what is read of it then is fetched ahead. One that is stale is dropped then.
///
/// Thread: one. Source: Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987
class timer_wheel {
public:
  explicit timer_wheel(std::int64_t base) noexcept : base_(unsigned_of(base)) {}
  ~timer_wheel();
  timer_wheel(const timer_wheel&) = delete;
  timer_wheel& operator=(const timer_wheel&) = delete;

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Tells whether what is due then belongs here.
  [[nodiscard]] bool takes(std::int64_t due) const noexcept { return unsigned_of(due) > base_; }

  void add(std::int64_t due, timer_mark m) {
    const auto time = unsigned_of(due);
    const auto level = static_cast<unsigned>(63 - std::countl_zero(time ^ base_)) / bits;
    const auto digit = time >> bits * level & (digits - 1);
    append(buckets_[level][digit], m);
    ++size_;
    filled_[level] |= std::uint64_t{1} << digit;
  }

  /// Takes out all live entries of the times that come next, no more than `few` unless they are due at the same time. What is
  /// due as early does not belong here any more. There is at least one, unless all that is taken or left is stale. Not to be
  /// called if it is empty.
  template <class Calls, class F>
  void take_next(std::size_t few, const Calls& calls, F out) {
    for (bool any = false; !any && size_ > 0;) {
      std::size_t level = 0;
      while (filled_[level] == 0)
        ++level;
      const auto digit = static_cast<unsigned>(std::countr_zero(filled_[level]));
      const auto taken = take(level, digit);
      const auto below = (std::uint64_t{1} << bits * level) - 1; // the digits of lower levels
      const auto first = (((base_ >> bits * level) & ~std::uint64_t{digits - 1}) | digit)
                         << bits * level;
      const bool all = level == 0 || taken.size <= few;
      base_ = all ? (first | below) : first;
      drain(taken, calls, [&](std::int64_t due, timer_mark m) {
        if (takes(due))
          return add(due, m); // at a lower level
        out(due, m);
        any = true;
      });
    }
  }

  template <class F>
  void for_each(F f) const {
    for (const auto& level : buckets_)
      for (const auto& one : level)
        for (const auto* b = one.last; b != nullptr; b = b->before)
          for (std::size_t i = 0; i < b->size; ++i)
            f(b->marks[i]);
  }

  /// Drops the entries for which `gone` holds.
  template <class F>
  void remove_if(F gone) {
    for (std::size_t level = 0; level < levels; ++level)
      for (unsigned digit = 0; digit < digits; ++digit) {
        bucket kept;
        drain(take(level, digit), [&](const block& b) {
          for (std::size_t i = 0; i < b.size; ++i)
            if (!gone(b.marks[i]))
              append(kept, b.marks[i]);
        });
        put_back(level, digit, kept);
      }
    free_spare();
  }

private:
  static constexpr unsigned bits = 6; // of a digit
  static constexpr unsigned digits = 1u << bits;
  static constexpr std::size_t levels = (64 + bits - 1) / bits;
  static constexpr std::size_t most = 126; // entries of a block
  static constexpr std::size_t ahead =
    16; // how many entries before it is looked at a call is fetched

  // Buckets grow by blocks, so that growing moves nothing, and one that has been emptied serves another bucket.
  struct block {
    block* before;
    std::size_t size;
    timer_mark marks[most];
  };
  struct bucket {
    block* last = nullptr;
    std::size_t size = 0;
  };

  // In the order of the signed ones.
  static std::uint64_t unsigned_of(std::int64_t due) noexcept {
    return static_cast<std::uint64_t>(due) ^ std::uint64_t{1} << 63;
  }
  [[nodiscard]] bucket take(std::size_t level, unsigned digit) noexcept;
  void put_back(std::size_t level, unsigned digit, bucket what) noexcept;
  void grow(bucket& which);
  void append(bucket& to, timer_mark m) {
    if (to.last == nullptr || to.last->size == most)
      grow(to);
    to.last->marks[to.last->size++] = m;
    ++to.size;
  }
  void free_spare() noexcept;

  // Calls `f` with each block, which then serves another bucket.
  template <class F>
  void drain(bucket taken, F f) {
    while (auto* const b = taken.last) {
      f(*b);
      taken.last = std::exchange(b->before, spare_);
      spare_ = b;
    }
  }

  template <class Calls, class F>
  void drain(bucket taken, const Calls& calls, F f) {
    drain(taken, [&](const block& b) {
      for (std::size_t i = 0; i < std::min(b.size, ahead); ++i)
        calls.fetch(b.marks[i]);
      for (std::size_t i = 0; i < b.size; ++i) {
        if (i + ahead < b.size)
          calls.fetch(b.marks[i + ahead]);
        if (calls.live(b.marks[i]))
          f(calls.due(b.marks[i]), b.marks[i]);
      }
    });
  }

  std::uint64_t base_;
  std::size_t size_ = 0;
  block* spare_ = nullptr;
  std::array<std::uint64_t, levels> filled_{}; // which buckets are not empty
  std::array<std::array<bucket, digits>, levels> buckets_{};
};

} // namespace troupe::detail
