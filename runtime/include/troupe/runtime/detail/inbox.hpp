#pragma once

#include <atomic>
#include <cstddef>
#include <thread>
#include <utility>

#include <caf/resumable.hpp>

#include <troupe/runtime/time.hpp>

namespace troupe::detail {

/// One thing that another thread hands to a loop: an actor to resume, or a function to call.
struct inbox_node {
  std::atomic<inbox_node*> next{nullptr};
  caf::resumable* job = nullptr; // carries one reference; null for a function
  bool pinned = false;           // to which of the loop's queues `job` goes
  task fn;
};

/// Floating actors that other threads have queued for a loop. Any loop may take them, all at once: one
/// that is blocked keeps nothing.
///
/// Thread: any.
class arrivals {
public:
  struct node {
    node* next;
    caf::resumable* job; // carries one reference
  };

  /// Never waits.
  void push(caf::resumable* job) {
    auto* const added = new node{newest_.load(std::memory_order_relaxed), job};
    while (!newest_.compare_exchange_weak(added->next, added, std::memory_order_seq_cst,
                                          std::memory_order_relaxed)) {
    }
  }

  /// Hands all that there are to `fn(job)`, the oldest first. Returns how many.
  template <class F>
  std::size_t take_all(F fn) {
    node* oldest = nullptr;
    for (auto* n = newest_.exchange(nullptr, std::memory_order_acquire); n != nullptr;)
      oldest = std::exchange(n, std::exchange(n->next, oldest));
    std::size_t count = 0;
    for (auto* n = oldest; n != nullptr; ++count) {
      fn(n->job);
      delete std::exchange(n, n->next);
    }
    return count;
  }

  [[nodiscard]] bool empty() const noexcept {
    return newest_.load(std::memory_order_seq_cst) == nullptr;
  }

private:
  alignas(64) std::atomic<node*> newest_{nullptr};
};

/// A queue from any number of threads to one: linked nodes, an exchange and a store per push.
///
/// Order: what one thread pushes comes out in that order, and a push that returned before another
/// one began comes out first.
class inbox {
public:
  inbox() noexcept : head_(&stub_), tail_(&stub_) {}
  inbox(const inbox&) = delete;
  inbox& operator=(const inbox&) = delete;

  /// Adds `node`, whose ownership passes to the queue. Thread: any; never waits.
  void push(inbox_node* node) noexcept {
    node->next.store(nullptr, std::memory_order_relaxed);
    // In one order with the loop's last look here before its sleep, and with that at whether it sleeps.
    auto* before = tail_.exchange(node, std::memory_order_seq_cst);
    before->next.store(node, std::memory_order_release);
  }

  /// Returns the oldest node, or null if there is none. Thread: the consumer's only.
  inbox_node* pop() noexcept {
    auto* head = head_;
    auto* next = head->next.load(std::memory_order_acquire);
    if (head == &stub_) {
      if (next == nullptr) {
        if (tail_.load(std::memory_order_acquire) == &stub_)
          return nullptr;
        next = wait_for_link(head);
      }
      head_ = next;
      head = next;
      next = head->next.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (tail_.load(std::memory_order_acquire) == head)
        push(&stub_); // so that `head` can leave
      next = wait_for_link(head);
    }
    head_ = next;
    return head;
  }

  /// Tells whether nothing was pushed that is not popped yet. Thread: the consumer's only.
  [[nodiscard]] bool empty() const noexcept {
    return head_ == &stub_ && tail_.load(std::memory_order_seq_cst) == &stub_;
  }

private:
  // A producer stands between its exchange and its store: two instructions, unless it lost its
  // core just there, when giving way is the fastest thing to do.
  static inbox_node* wait_for_link(inbox_node* node) noexcept {
    for (int spins = 0;; ++spins) {
      if (auto* next = node->next.load(std::memory_order_acquire))
        return next;
      if (spins > 64)
        std::this_thread::yield();
    }
  }

  inbox_node* head_; // consumer's end
  inbox_node stub_;
  alignas(64) std::atomic<inbox_node*> tail_; // producers' end, on a cache line of its own
};

} // namespace troupe::detail
