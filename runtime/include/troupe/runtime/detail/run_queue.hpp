#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>

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

  void push_front(caf::resumable* job) {
    if (size_ == capacity_)
      grow();
    first_ = (first_ - 1) & (capacity_ - 1);
    jobs_[first_] = job;
    ++size_;
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
/// with a single loop there is no thief and the lock is left out. Who is queued while nobody else waits, as where two
/// actors talk to one another, needs no lock: it has a place of its own in front of the queue.
///
/// Thread: that of the loop, unless a member says otherwise.
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
    if (!shared_) {
      ring_.push(job);
      return note_size();
    }
    if (size() == 0) {
      first_.exchange(job, std::memory_order_seq_cst); // which others only empty
      return 1;
    }
    return push_behind(job);
  }

  caf::resumable* pop_front() noexcept {
    if (shared_ && first_.load(std::memory_order_relaxed) != nullptr)
      if (auto* const job = take_first())
        return job;
    if (size_.load(std::memory_order_relaxed) == 0)
      return nullptr;
    guard hold{*this};
    auto* job = ring_.pop_front();
    note_size();
    return job;
  }

  /// Moves the `count` jobs that were queued last in front of all others; they keep their order.
  [[gnu::noinline]] void hasten(std::size_t count) {
    if (count >= size()) // there are no others, or a thief has had some
      return;
    auto* const first = take_first();
    guard hold{*this};
    if (first != nullptr)
      ring_.push_front(first);
    if (count < ring_.size())
      ring_.last_to_front(count);
    note_size();
  }

  /// Moves half of the jobs, rounded up and at most `most_stolen`, to the end of `thief`: those that
  /// were queued last, in their order. Returns how many. Thread: that of `thief`.
  std::size_t steal_half(stealable_queue& thief) {
    return move_to(thief, std::min(most_stolen, (size() + 1) / 2));
  }

  /// Moves all jobs that there are in front of those of `other`, in their order. Returns how many.
  std::size_t give_all(stealable_queue& other) {
    std::size_t count = 0;
    while (const auto moved = move_to(other, most_stolen, true))
      count += moved;
    return count;
  }

  /// Returns how many jobs wait; from another thread this is a glimpse.
  [[nodiscard]] std::size_t size() const noexcept {
    return size_.load(std::memory_order_relaxed)
           + (shared_ && first_.load(std::memory_order_relaxed) != nullptr ? 1 : 0);
  }

private:
  struct guard {
    explicit guard(stealable_queue& queue) noexcept : q(queue) {
      if (q.shared_)
        q.lock();
    }
    ~guard() {
      if (q.shared_)
        q.locked_.store(false, std::memory_order_release);
    }
    stealable_queue& q;
  };

  // Who holds it may have lost its core.
  void lock() noexcept {
    while (locked_.exchange(true, std::memory_order_acquire))
      for (int spins = 0; locked_.load(std::memory_order_relaxed);)
        if (++spins < 64)
          cpu_relax();
        else
          std::this_thread::yield();
  }

  std::size_t push_behind(caf::resumable* job) {
    std::size_t size;
    {
      guard hold{*this};
      ring_.push(job);
      size = note_size();
    }
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return size + (first_.load(std::memory_order_relaxed) != nullptr ? 1 : 0);
  }

  caf::resumable* take_first() noexcept {
    return shared_ ? first_.exchange(nullptr, std::memory_order_acq_rel) : nullptr;
  }

  std::size_t move_to(stealable_queue& other, std::size_t most, bool in_front = false) {
    if (most == 0)
      return 0;
    std::array<caf::resumable*, most_stolen> jobs; // never are both queues locked
    std::size_t count = 0;
    {
      guard hold{*this};
      count = std::min(most, ring_.size());
      for (std::size_t i = count; i > 0; --i)
        jobs[i - 1] = ring_.pop_back();
      note_size();
    }
    if (count == 0 && (jobs[0] = take_first()) != nullptr)
      count = 1;
    guard hold{other};
    for (std::size_t i = 0; i < count; ++i)
      if (in_front)
        other.ring_.push_front(jobs[count - 1 - i]);
      else
        other.ring_.push(jobs[i]);
    other.note_size();
    return count;
  }

  std::size_t note_size() noexcept {
    size_.store(ring_.size(), std::memory_order_relaxed);
    return ring_.size();
  }

  std::atomic<caf::resumable*> first_{nullptr}; // before all in the ring; null if not shared
  job_ring ring_;
  std::atomic<std::size_t> size_{0}; // of the ring
  std::atomic<bool> locked_{false};
  const bool shared_;
};

} // namespace troupe::detail
