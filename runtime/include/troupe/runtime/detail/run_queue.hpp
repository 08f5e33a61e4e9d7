#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>

#include <caf/resumable.hpp>

#include <troupe/runtime/detail/cpu.hpp>

namespace troupe::detail {

/// A growing ring of actors that wait to be resumed, first in first out. Thread: one.
class job_ring {
public:
  void push(caf::resumable* job) {
    if (size_ == capacity_)
      grow();
    jobs_[(first_ + size_++) & (capacity_ - 1)] = job;
  }

  /// Moves the last `count`, of at least as many, in front of all others; they keep their order.
  void last_to_front(std::size_t count) noexcept {
    for (; count > 0; --count) {
      auto* const job = jobs_[(first_ + size_ - 1) & (capacity_ - 1)];
      first_ = (first_ - 1) & (capacity_ - 1);
      jobs_[first_] = job;
    }
  }

  caf::resumable* pop_front() noexcept {
    if (size_ == 0)
      return nullptr;
    auto* job = jobs_[first_];
    first_ = (first_ + 1) & (capacity_ - 1);
    --size_;
    return job;
  }

  caf::resumable* pop_back() noexcept {
    if (size_ == 0)
      return nullptr;
    return jobs_[(first_ + --size_) & (capacity_ - 1)];
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
  void grow() {
    const auto capacity = capacity_ == 0 ? 64 : capacity_ * 2;
    auto jobs = std::make_unique<caf::resumable*[]>(capacity);
    for (std::size_t i = 0; i < size_; ++i)
      jobs[i] = jobs_[(first_ + i) & (capacity_ - 1)];
    jobs_ = std::move(jobs);
    first_ = 0;
    capacity_ = capacity;
  }

  std::unique_ptr<caf::resumable*[]> jobs_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0; // a power of two, or zero
};

/// A loop's queue of floating actors: the loop takes from the front, other loops steal half of it
/// from the back.
///
/// A spin lock guards it. It is held for a few instructions and, but for a thief, by one thread;
/// with a single loop there is no thief and the lock is left out.
class stealable_queue {
public:
  /// How much a thief takes at once: its copy lies on the stack while the victim waits for the lock.
  static constexpr std::size_t most_stolen = 256;

  explicit stealable_queue(bool shared) noexcept : shared_(shared) {}

  /// Returns how many jobs wait now, `job` included.
  ///
  /// Order: a loop that goes to sleep, and looks here after it has said so, sees the job, or this
  /// thread sees after the push that it sleeps.
  std::size_t push(caf::resumable* job) {
    std::size_t size;
    {
      guard hold{*this};
      ring_.push(job);
      size = note_size();
    }
    if (shared_)
      std::atomic_thread_fence(std::memory_order_seq_cst);
    return size;
  }

  caf::resumable* pop_front() noexcept {
    if (size() == 0)
      return nullptr;
    guard hold{*this};
    auto* job = ring_.pop_front();
    note_size();
    return job;
  }

  /// Moves the `count` jobs that were queued last in front of all others; they keep their order.
  void hasten(std::size_t count) noexcept {
    if (count >= size()) // there are no others, or a thief has had some
      return;
    guard hold{*this};
    if (count < ring_.size())
      ring_.last_to_front(count);
  }

  /// Moves half of the jobs, rounded up and at most `most_stolen`, to the end of `thief`: those that
  /// were queued last, in their order. Returns how many. Thread: that of `thief`.
  std::size_t steal_half(stealable_queue& thief) {
    if (size() == 0)
      return 0;
    std::array<caf::resumable*, most_stolen> jobs; // never are both queues locked
    std::size_t count = 0;
    {
      guard hold{*this};
      count = std::min(most_stolen, (ring_.size() + 1) / 2);
      for (std::size_t i = count; i > 0; --i)
        jobs[i - 1] = ring_.pop_back();
      note_size();
    }
    guard hold{thief};
    for (std::size_t i = 0; i < count; ++i)
      thief.ring_.push(jobs[i]);
    thief.note_size();
    return count;
  }

  /// Returns how many jobs wait; from another thread this is a glimpse.
  [[nodiscard]] std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

private:
  struct guard {
    explicit guard(stealable_queue& queue) noexcept : q(queue) {
      if (!q.shared_)
        return;
      while (q.locked_.exchange(true, std::memory_order_acquire))
        while (q.locked_.load(std::memory_order_relaxed))
          cpu_relax();
    }
    ~guard() {
      if (q.shared_)
        q.locked_.store(false, std::memory_order_release);
    }
    stealable_queue& q;
  };

  std::size_t note_size() noexcept {
    size_.store(ring_.size(), std::memory_order_relaxed);
    return ring_.size();
  }

  job_ring ring_;
  std::atomic<std::size_t> size_{0};
  std::atomic<bool> locked_{false};
  const bool shared_;
};

} // namespace troupe::detail
