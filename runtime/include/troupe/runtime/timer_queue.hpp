#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <vector>

#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/home_thread.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

namespace detail {

class timer_wheel;

/// Where a call lies, and its number among those that were added or moved.
///
/// `sequence` tells a live entry from a stale one, and orders equal times. 32 bits that wrap are
/// enough for both: an entry is compared only with entries that exist at the same time.
struct timer_mark {
  std::uint32_t sequence;
  std::uint32_t slot;
};

/// What a `timer_queue` orders: when a call is due, and where it lies.
struct timer_entry : timer_mark {
  std::int64_t due;
  friend bool operator<(const timer_entry& a, const timer_entry& b) noexcept {
    return a.due != b.due ? a.due < b.due : static_cast<std::int32_t>(a.sequence - b.sequence) < 0;
  }
};

} // namespace detail

/// Keeps calls until they are due: the one timer structure behind every clock.
///
/// A 4-ary heap of 16-byte entries orders the calls by (time, sequence); what to call lies in a
/// pool of nodes beside it. Where there are thousands, the heap has those that are due next, and
/// the others wait in a timing wheel, which costs less and keeps no order, until it is their turn.
/// Cancelling frees the node at once and leaves its entry behind; such stale entries are dropped
/// when they surface, and swept out together once they outnumber the live ones. So cancelling and
/// moving a call search nothing, and a pending call takes one node and, of a million, an entry of 8
/// bytes in the wheel (77 bytes in all).
///
/// The queue does not know the time; `now` is handed in, which is what lets a test move it.
///
/// Thread: one; a queue has no locks.
class timer_queue {
public:
  /// Hears of a call that was made, and says whether to go on.
  using after_call = bool (*)(void* context, const task& made);

  /// Tells the time to handles that need it (`delayed_call::reset`).
  using now_function = time_point (*)(const void* source);

  /// \param chunk_bits  nodes are allocated 2^`chunk_bits` at a time; small for a queue that one
  ///                    of very many actors owns
  /// \param home        the thread of the queue, if handles of its calls are to insist on it
  timer_queue(now_function now, const void* source, unsigned chunk_bits = 8,
              const detail::home_thread* home = nullptr) noexcept;
  ~timer_queue();
  timer_queue(const timer_queue&) = delete;
  timer_queue& operator=(const timer_queue&) = delete;

  /// Adds a call. Order: calls with equal times are made in the order in which they were added.
  ///
  /// \throws std::logic_error if `fn` is empty
  delayed_call add(time_point due, task&& fn);

  /// Returns the time of the first pending call, or nothing if there is none.
  [[nodiscard]] std::optional<time_point> next_due();

  /// Makes the calls that are due at `now` and were added before this pass began, in order.
  ///
  /// Calls that are added, or moved, by the calls of this pass wait for the next one, so that a
  /// call which schedules itself with no delay cannot hold the thread. `caught` runs inside the
  /// catch block of an exception that leaves a call (`std::current_exception()` tells it), and
  /// the pass goes on.
  ///
  /// \param made  if given, runs after each call with `context` and what was called; where it returns
  ///              false the pass ends, and the next one makes the rest before anything else
  /// \returns how many calls were made
  std::size_t run_due(time_point now, void (*caught)() noexcept, after_call made = nullptr,
                      void* context = nullptr);

  /// Makes the first call that is due at `now`, whenever it was added, and returns true; false if
  /// none is. An exception of the call leaves this function.
  bool run_one(time_point now);

  /// Drops every pending call without making it. The functions are destroyed after the queue is
  /// empty, so their destructors may use the queue.
  void clear();

  /// Returns handles of all pending calls, in no particular order.
  [[nodiscard]] std::vector<delayed_call> pending();

  /// Returns how many calls are pending.
  [[nodiscard]] std::size_t size() const noexcept { return live_; }
  [[nodiscard]] bool empty() const noexcept { return live_ == 0; }

private:
  friend class delayed_call;

  // How the latest call of a slot ended; told to a handle that is used too late.
  enum class end : std::uint8_t { pending, called, cancelled };

  // One line of the cache.
  struct alignas(64) node {
    task fn;
    std::int64_t due = 0;      // of a slot that is not in use: the next such one
    std::uint64_t id : 62 = 0; // the call that the slot holds, or held last
    std::uint64_t state : 2 = 0;
  };

  using mark = detail::timer_mark;
  using entry = detail::timer_entry;
  struct in_wheel; // what the wheel asks of its calls

  // The heap's array: the children of an entry share one cache line. Entry `i` has its children at
  // 4 * i + 1 to 4 * i + 4, so three unused entries before the first align them.
  class heap_array {
  public:
    [[nodiscard]] std::size_t size() const noexcept { return entries_.size() - padding; }
    [[nodiscard]] bool empty() const noexcept { return size() == 0; }
    [[nodiscard]] std::size_t capacity() const noexcept { return entries_.capacity(); }
    entry& operator[](std::size_t i) noexcept { return entries_[i + padding]; }
    entry& front() noexcept { return entries_[padding]; }
    entry& back() noexcept { return entries_.back(); }
    entry* begin() noexcept { return entries_.data() + padding; }
    entry* end() noexcept { return entries_.data() + entries_.size(); }
    void push_back(const entry& e) { entries_.push_back(e); }
    void pop_back() noexcept { entries_.pop_back(); }
    void resize(std::size_t n) { entries_.resize(n + padding); }
    void shrink_to_fit() { entries_.shrink_to_fit(); }

  private:
    static constexpr std::size_t padding = 3;

    template <class T>
    struct line_allocator {
      using value_type = T;
      line_allocator() = default;
      template <class U>
      line_allocator(const line_allocator<U>&) noexcept {}
      T* allocate(std::size_t n) {
        return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64}));
      }
      void deallocate(T* p, std::size_t) noexcept { ::operator delete (p, std::align_val_t{64}); }
      friend bool operator==(const line_allocator&, const line_allocator&) noexcept = default;
    };

    std::vector<entry, line_allocator<entry>> entries_ =
      std::vector<entry, line_allocator<entry>>(padding);
  };

  static constexpr std::size_t many = 4096; // entries, 64 KiB of them

  // Nodes lie in chunks, so that growing never moves them nor doubles the memory.
  static constexpr std::uint32_t no_slot = (1u << 30) - 1;

  node& at(std::uint32_t slot) noexcept {
    return chunks_[slot >> chunk_bits_][slot & ((1u << chunk_bits_) - 1)];
  }
  bool has(std::uint32_t slot) const noexcept { return slot >> chunk_bits_ < chunks_.size(); }
  bool live(mark m) const noexcept { return sequences_[m.slot] == m.sequence; }
  bool alive(const delayed_call& call) noexcept;
  node& require(const delayed_call& call);
  void move_to(const delayed_call& call, time_point due);
  task take(node& n, std::uint32_t slot, end how);
  void expect_home(const char* function) const;
  [[nodiscard]] bool has_left_over();
  void push(entry e);
  void push_on_heap(entry e);
  void pop();
  void heapify();
  void thin_out_heap();
  [[nodiscard]] std::size_t entries() const noexcept;
  void sift_down(std::size_t index, entry e);
  void drop_stale_front();
  void sweep_if_stale();
  void give_back_if_empty();

  now_function now_;
  const void* source_;
  const detail::home_thread* const home_;
  const unsigned chunk_bits_;
  heap_array heap_;                            // all that the wheel does not take
  std::unique_ptr<detail::timer_wheel> wheel_; // null while the heap is enough
  std::size_t crowded_ = many;                 // entries from which the heap is to give some away
  // What the current pass of run_due still has to make, or the latest one has left: first one last.
  std::vector<entry> due_;
  std::size_t passes_ = 0; // that are under way, one inside another
  std::vector<std::unique_ptr<node[]>> chunks_;
  // The sequence of the live entry of each slot, and of no entry if the slot has none. Beside the
  // nodes, because looking for stale entries reads nothing else, and these fit a cache.
  std::vector<std::uint32_t> sequences_;
  std::uint32_t free_ = no_slot; // first of the slots that are not in use
  std::uint32_t slots_ = 0;
  std::size_t live_ = 0;
  std::uint64_t next_id_ = 1;
  std::uint32_t next_sequence_ = 0;
};

} // namespace troupe
