#include <troupe/runtime/timer_queue.hpp>

#include <algorithm>
#include <utility>

#include "timer_wheel.hpp"

namespace troupe {

namespace {

constexpr std::size_t arity = 4;

// How many calls before it is made a node is fetched into the cache.
constexpr std::size_t ahead = 8;

// How many are taken from the wheel at once.
constexpr std::size_t few = 128;

std::int64_t ticks(time_point t) noexcept {
  return t.time_since_epoch().count();
}

time_point time_of(std::int64_t ticks) noexcept {
  return time_point{duration{ticks}};
}

} // namespace

struct timer_queue::in_wheel {
  timer_queue& queue;
  [[nodiscard]] bool live(mark m) const noexcept { return queue.live(m); }
  [[nodiscard]] std::int64_t due(mark m) const noexcept { return queue.at(m.slot).due; }
  void fetch(mark m) const noexcept {
    __builtin_prefetch(&queue.sequences_[m.slot]);
    __builtin_prefetch(&queue.at(m.slot).due);
  }
};

timer_queue::timer_queue(now_function now, const void* source, unsigned chunk_bits,
                         const detail::home_thread* home) noexcept
  : now_(now), source_(source), home_(home), chunk_bits_(chunk_bits) {}

timer_queue::~timer_queue() {
  clear();
}

delayed_call timer_queue::add(time_point due, task&& fn) {
  if (!fn)
    throw std::logic_error("call_later: the function is empty");
  std::uint32_t slot = free_;
  if (slot != no_slot) {
    free_ = static_cast<std::uint32_t>(at(slot).due);
  } else {
    if (slots_ == chunks_.size() << chunk_bits_) {
      if (slots_ >= no_slot >> 1)
        throw std::length_error("call_later: too many pending calls");
      chunks_.push_back(std::make_unique_for_overwrite<node[]>(std::size_t{1} << chunk_bits_));
    }
    slot = slots_++;
    sequences_.push_back(0);
  }
  auto& n = at(slot);
  n.fn = std::move(fn);
  n.due = ticks(due);
  n.id = next_id_++;
  n.state = static_cast<std::uint64_t>(end::pending);
  ++live_;
  sequences_[slot] = next_sequence_;
  push({{next_sequence_++, slot}, ticks(due)});
  return {this, slot, n.id};
}

std::optional<time_point> timer_queue::next_due() {
  if (has_left_over())
    return time_of(due_.back().due);
  drop_stale_front();
  if (heap_.empty())
    return std::nullopt;
  return time_of(heap_.front().due);
}

// Tells whether the latest pass ended before it had made all of its calls.
bool timer_queue::has_left_over() {
  if (passes_ > 0)
    return false; // that is what the present pass goes on with
  while (!due_.empty() && !live(due_.back()))
    due_.pop_back();
  return !due_.empty();
}

std::size_t timer_queue::run_due(time_point now, void (*caught)() noexcept, after_call after,
                                 void* context) {
  const bool goes_on = has_left_over();
  const auto outer = goes_on ? 0 : due_.size();
  if (!goes_on) {
    // All due entries leave the heap before the first call is made: what is added or moved by these
    // calls lies in the heap, out of reach of this pass.
    for (drop_stale_front(); !heap_.empty() && heap_.front().due <= ticks(now);
         drop_stale_front()) {
      due_.push_back(heap_.front());
      pop();
    }
    // A pass inside a call of another pass has the end of `due_` for itself.
    std::reverse(due_.begin() + static_cast<std::ptrdiff_t>(outer), due_.end());
  }
  struct pass {
    std::size_t& passes;
    ~pass() { --passes; }
  } const under_way{++passes_};
  std::size_t made = 0;
  while (due_.size() > outer) {
    const auto next = due_.back();
    due_.pop_back();
    if (due_.size() >= outer + ahead) // nodes lie anywhere; fetch one while others are made
      __builtin_prefetch(&at(due_[due_.size() - ahead].slot), 1);
    if (!live(next)) // cancelled or moved by an earlier call
      continue;
    auto fn = take(at(next.slot), next.slot, end::called);
    ++made;
    try {
      fn();
    } catch (...) {
      caught();
    }
    if (after != nullptr && !after(context, fn))
      break;
  }
  give_back_if_empty();
  return made;
}

bool timer_queue::run_one(time_point now) {
  std::uint32_t slot;
  if (has_left_over()) {
    slot = due_.back().slot;
    due_.pop_back();
  } else {
    drop_stale_front();
    if (heap_.empty() || heap_.front().due > ticks(now))
      return false;
    slot = heap_.front().slot;
    pop();
  }
  auto fn = take(at(slot), slot, end::called);
  give_back_if_empty();
  fn();
  return true;
}

// One by one: what is dropped may add calls, and take others back, which are pending until then.
void timer_queue::clear() {
  while (live_ > 0) {
    if (due_.empty() && heap_.empty())
      drop_stale_front();
    const auto last = due_.empty() ? heap_.back() : due_.back();
    if (due_.empty())
      heap_.pop_back();
    else
      due_.pop_back();
    if (live(last))
      const auto dropped = take(at(last.slot), last.slot, end::cancelled);
  }
  heap_.resize(0);
  wheel_.reset();
  due_.clear();
}

std::vector<delayed_call> timer_queue::pending() {
  std::vector<delayed_call> result;
  result.reserve(live_);
  const auto look = [&](mark m) {
    if (live(m))
      result.push_back({this, m.slot, at(m.slot).id});
  };
  std::for_each(heap_.begin(), heap_.end(), look);
  std::for_each(due_.begin(), due_.end(), look);
  if (wheel_)
    wheel_->for_each(look);
  return result;
}

bool timer_queue::alive(const delayed_call& call) noexcept {
  if (!has(call.slot_))
    return false;
  const auto& n = at(call.slot_);
  return n.id == call.id_ && n.state == static_cast<std::uint64_t>(end::pending);
}

void timer_queue::expect_home(const char* function) const {
  if (home_ != nullptr)
    home_->expect(function, "use call_from_thread");
}

timer_queue::node& timer_queue::require(const delayed_call& call) {
  if (has(call.slot_)) {
    auto& n = at(call.slot_);
    if (n.id == call.id_) {
      if (n.state == static_cast<std::uint64_t>(end::pending))
        return n;
      if (n.state == static_cast<std::uint64_t>(end::cancelled))
        throw already_cancelled("the delayed call was cancelled before");
    }
  }
  // The slot is gone or serves another call by now: how this one ended is forgotten, that it ended is not.
  throw already_called("the delayed call was made before");
}

void timer_queue::move_to(const delayed_call& call, time_point due) {
  auto& n = require(call);
  n.due = ticks(due);
  sequences_[call.slot_] = next_sequence_; // makes the old entry stale
  push({{next_sequence_++, call.slot_}, ticks(due)});
  sweep_if_stale();
}

inline task timer_queue::take(node& n, std::uint32_t slot, end how) {
  auto fn = std::move(n.fn);
  n.state = static_cast<std::uint64_t>(how);
  n.due = free_;
  free_ = slot;
  sequences_[slot] = next_sequence_++; // no entry has it
  --live_;
  return fn;
}

void timer_queue::push(entry e) {
  if (wheel_ && wheel_->takes(e.due))
    return wheel_->add(e.due, e);
  push_on_heap(e);
  if (heap_.size() > crowded_ && (!wheel_ || heap_.size() > wheel_->size()))
    thin_out_heap();
}

// Leaves on the heap what is due first, and the rest to a wheel.
void timer_queue::thin_out_heap() {
  auto wheel = std::make_unique<detail::timer_wheel>(heap_.front().due);
  const auto stays = std::partition(heap_.begin(), heap_.end(),
                                    [&](const entry& e) { return !wheel->takes(e.due); });
  std::for_each(stays, heap_.end(), [&](const entry& e) { wheel->add(e.due, e); });
  if (wheel_)
    wheel_->for_each([&](mark m) {
      if (live(m))
        wheel->add(at(m.slot).due, m);
    });
  wheel_ = std::move(wheel);
  heap_.resize(static_cast<std::size_t>(stays - heap_.begin()));
  heapify();
  crowded_ = std::max(many, 2 * heap_.size()); // if all are due at once, they stay
}

std::size_t timer_queue::entries() const noexcept {
  return heap_.size() + (wheel_ ? wheel_->size() : 0);
}

void timer_queue::push_on_heap(entry e) {
  auto i = heap_.size();
  heap_.push_back(e);
  while (i > 0) {
    const auto parent = (i - 1) / arity;
    if (!(e < heap_[parent]))
      break;
    heap_[i] = heap_[parent];
    i = parent;
  }
  heap_[i] = e;
}

void timer_queue::pop() {
  const auto last = heap_.back();
  heap_.pop_back();
  if (!heap_.empty())
    sift_down(0, last);
}

void timer_queue::sift_down(std::size_t i, entry e) {
  const auto size = heap_.size();
  for (;;) {
    const auto first = i * arity + 1;
    if (first >= size)
      break;
    // The grandchildren, four lines of which one is next, while the children are compared.
    if (const auto grand = first * arity + 1; size > many && grand < size)
      for (std::size_t line = 0; line < arity; ++line)
        __builtin_prefetch(&heap_[std::min(grand + line * arity, size - 1)]);
    auto best = first;
    const auto last = std::min(first + arity, size);
    for (auto child = first + 1; child < last; ++child)
      if (heap_[child] < heap_[best])
        best = child;
    if (!(heap_[best] < e))
      break;
    heap_[i] = heap_[best];
    i = best;
  }
  heap_[i] = e;
}

// Behind it the heap is empty only if nothing is pending.
void timer_queue::drop_stale_front() {
  for (;;) {
    while (!heap_.empty() && !live(heap_.front()))
      pop();
    if (!heap_.empty() || !wheel_)
      return;
    if (!wheel_->empty())
      wheel_->take_next(few, in_wheel{*this}, [this](std::int64_t due, mark m) {
        push_on_heap({m, due});
      });
    if (wheel_->empty())
      wheel_.reset();
  }
}

void timer_queue::sweep_if_stale() {
  constexpr std::size_t not_worth_it = 64;
  if (entries() <= 2 * live_ + not_worth_it) // `live_` counts what the present pass holds, too
    return;
  const auto stale = [this](mark m) {
    return !live(m);
  };
  heap_.resize(
    static_cast<std::size_t>(std::remove_if(heap_.begin(), heap_.end(), stale) - heap_.begin()));
  heapify();
  if (heap_.capacity() > 4 * heap_.size() + 1024)
    heap_.shrink_to_fit();
  if (wheel_)
    wheel_->remove_if(stale);
}

void timer_queue::heapify() {
  if (heap_.size() > 1)
    for (auto i = (heap_.size() - 2) / arity + 1; i-- > 0;)
      sift_down(i, heap_[i]);
}

// After a burst, all memory but the first chunk is given back.
void timer_queue::give_back_if_empty() {
  if (live_ != 0 || !due_.empty() || chunks_.size() <= 1)
    return;
  heap_ = heap_array{}; // only stale entries are left
  wheel_.reset();
  crowded_ = many;
  due_ = decltype(due_){};
  sequences_ = decltype(sequences_){};
  chunks_.resize(1);
  chunks_.shrink_to_fit();
  slots_ = 0;
  free_ = no_slot;
}

// -- delayed_call -------------------------------------------------------------------------------

namespace {

[[noreturn]] void no_call() {
  throw std::logic_error("this delayed_call names no call");
}

} // namespace

void delayed_call::cancel() {
  if (queue_ == nullptr)
    no_call();
  queue_->expect_home("delayed_call::cancel");
  auto& n = queue_->require(*this);
  auto& heap = queue_->heap_;
  if (!heap.empty() && heap.back().slot == slot_ && queue_->live(heap.back()))
    heap.pop_back(); // as that of a time-out which was set just now
  const auto fn = queue_->take(n, slot_, timer_queue::end::cancelled);
  queue_->sweep_if_stale();
  queue_->give_back_if_empty();
} // the function is destroyed last: its destructor may use the queue

void delayed_call::delay(duration by) {
  if (queue_ == nullptr)
    no_call();
  queue_->expect_home("delayed_call::delay");
  queue_->move_to(*this, saturating_add(time_of(queue_->require(*this).due), by));
}

void delayed_call::reset(duration from_now) {
  if (queue_ == nullptr)
    no_call();
  queue_->expect_home("delayed_call::reset");
  if (from_now < duration::zero())
    throw std::logic_error("delayed_call::reset: the delay is negative");
  queue_->require(*this);
  queue_->move_to(*this, saturating_add(queue_->now_(queue_->source_), from_now));
}

bool delayed_call::active() const noexcept {
  return queue_ != nullptr && queue_->alive(*this);
}

time_point delayed_call::get_time() const {
  if (queue_ == nullptr)
    no_call();
  return time_of(queue_->require(*this).due);
}

} // namespace troupe
