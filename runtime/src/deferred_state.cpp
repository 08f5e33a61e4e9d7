#include <atomic>
#include <string>

#include <spdlog/logger.h>

#include <troupe/runtime/deferred_debugging.hpp>
#include <troupe/runtime/detail/block_cache.hpp>
#include <troupe/runtime/detail/deferred_state.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log_sink.hpp"

namespace troupe {

namespace {

std::atomic<bool> debugging = false;

// That of the runtime whose turn it is, if it is one's.
std::shared_ptr<spdlog::logger> logger_of_this_thread() {
  if (auto* const loop = event_loop::current())
    return loop->scheduler().shared_logger();
  return detail::usual_logger();
}

void log_unhandled(const unhandled_failure& what) noexcept {
  try {
    const auto logger = logger_of_this_thread();
    if (what.created != nullptr)
      logger->error("unhandled failure in a deferred made at {}:{}: {}", what.created->file_name(),
                    what.created->line(), what.why.brief_traceback());
    else
      logger->error("unhandled failure in a deferred: {}", what.why.brief_traceback());
  } catch (...) {
    // Nothing is left that could be told to anybody.
  }
}

std::atomic<unhandled_hook> hook = &log_unhandled;

std::string place(const source_location& where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

} // namespace

void set_debugging(bool on) noexcept {
  debugging = on;
}

bool get_debugging() noexcept {
  return debugging;
}

unhandled_hook set_unhandled_hook(unhandled_hook h) noexcept {
  return hook.exchange(h != nullptr ? h : &log_unhandled);
}

namespace detail {

struct deferred_state::segment {
  static constexpr std::size_t size = 16;
  segment* next = nullptr;
  deferred_slot slots[size];
};

struct deferred_state::debug_record {
  source_location created;
  source_location called;
};

deferred_state* deferred_state::make(std::size_t links, const source_location& where) {
  static_assert(alignof(deferred_state) >= alignof(deferred_slot));
  void* block = take_block(sizeof(deferred_state) + links * sizeof(deferred_slot));
  auto* self = ::new (block) deferred_state(links);
  if (debugging.load(std::memory_order_relaxed)) [[unlikely]]
    self->debug_ = new debug_record{where, {}};
  return self;
}

deferred_state::deferred_state(std::size_t links) noexcept
  : links_(static_cast<std::uint32_t>(links)), head_(own_slots()), tail_(head_),
    head_limit_(head_ + links), limit_(head_limit_) {
  canceller_.act = nullptr;
}

deferred_state::~deferred_state() {
  delete debug_;
}

const source_location* deferred_state::created() const noexcept {
  return debug_ != nullptr ? &debug_->created : nullptr;
}

bool deferred_state::refire() {
  if (ignore_next_) {
    ignore_next_ = false;
    return false;
  }
  std::string text = "the deferred has a result already";
  if (debug_ != nullptr)
    text += "; it was made at " + place(debug_->created) + " and first called at "
            + place(debug_->called);
  throw already_fired(text);
}

void deferred_state::first_call(const source_location& where) {
  if (debug_ != nullptr)
    debug_->called = where;
  if (!cancelling_) // else it is running
    drop_canceller();
}

void deferred_state::drop_canceller() noexcept {
  if (auto act = std::exchange(canceller_.act, nullptr))
    act(canceller_, nullptr);
}

void deferred_state::break_promise() noexcept {
  if (called_ || cancelling_ || !awaited())
    return; // a canceller that drops the promise has done what it should
  set_failure(failure(errc::broken_promise));
  fire(source_location::current());
}

void deferred_state::grow() {
  auto* s = new segment;
  auto** last = &segments_;
  while (*last != nullptr)
    last = &(*last)->next;
  *last = s;
  // If head_ is at the end of its segment, then because the last slot there is running.
  tail_ = s->slots;
  limit_ = s->slots + segment::size;
}

// head_ has reached the end of what waits, or of its segment.
void deferred_state::slots_used_up() noexcept {
  const bool in_own = head_limit_ == own_slots() + links_;
  if (head_ == tail_) {
    while (segments_ != nullptr)
      delete std::exchange(segments_, segments_->next);
    head_ = tail_ = own_slots();
    head_limit_ = limit_ = head_ + links_;
    return;
  }
  if (!in_own)
    delete std::exchange(segments_, segments_->next);
  head_ = segments_->slots;
  head_limit_ = head_ + segment::size;
}

void deferred_state::run() {
  if (!runnable() && !abandoned_)
    return;
  auto* s = this;
  s->retain();
  for (;;) {
    if (!s->runnable())
      break;
    if (s->head_ != s->tail_) {
      deferred_state* next = nullptr;
      s->running_ = true;
      do {
        auto& slot = *s->head_++;
        next = slot.act(slot, s);
        if (s->head_ == s->tail_ || s->head_ == s->head_limit_)
          s->slots_used_up();
      } while (s->head_ != s->tail_ && s->content_ != content::nothing && s->pauses_ == 0);
      s->running_ = false;
      if (next != nullptr) { // the slot was the last, and its result went to `next`
        s->release();
        s = next;
      }
    } else if (s->linked_to_ != nullptr) {
      auto* target = std::exchange(s->linked_to_, nullptr);
      if (s->link_ == link::waits) {
        target->waiting_on_ = nullptr;
        target->take_result_from(*s);
      } else if (!target->called_) {
        target->take_result_from(*s);
        target->mark_called(source_location::current());
      } else { // it was cancelled meanwhile
        target->ignore_next_ = false;
        if (s->failed())
          s->take_failure();
      }
      s->release();
      s = target;
    } else {
      break;
    }
  }
  if (s->abandoned_ && !s->running_)
    s->drop_links();
  s->release();
}

void deferred_state::take_result_from(deferred_state& other) noexcept {
  content_ = std::exchange(other.content_, content::nothing);
  if (content_ == content::value && other.ops_ != nullptr) {
    ops_ = std::exchange(other.ops_, nullptr);
    ops_->relocate(other.result_, result_);
  } else { // plain bytes, or a failure, which is moved by copying its pointer
    std::memcpy(result_, other.result_, result_bytes);
  }
}

void deferred_state::wait_for(deferred_state* inner) {
  if (inner == this) {
    inner->release();
    throw std::logic_error("a callback returned the deferred that it belongs to");
  }
  if (inner->abandoned_) {
    abandoned_ = true;
    inner->release();
    return;
  }
  inner->pauses_ = 0; // nobody is left who could undo them
  if (inner->called_)
    inner->run();
  if (inner->finished()) {
    take_result_from(*inner);
    inner->release();
    return;
  }
  auto* target = this;
  auto kind = link::waits;
  if (linked_to_ != nullptr && head_ == tail_ && cancellers_ == 0) {
    // Nothing comes after the link that is running, so the inner one can go directly to whoever
    // waits for this one: an endless sequence of such links takes no memory.
    target = std::exchange(linked_to_, nullptr);
    kind = link_;
  } else {
    retain();
  }
  inner->linked_to_ = target;
  inner->link_ = kind;
  if (kind == link::waits)
    target->waiting_on_ = inner;
  inner->release(); // its promise, or what it waits for, keeps it
}

void deferred_state::chain_to(deferred_state* target) {
  linked_to_ = target;
  link_ = link::fires;
  pauses_ = 0;
  run();
}

void deferred_state::unpause() {
  if (pauses_ == 0)
    throw std::logic_error("unpause() of a deferred that is not paused");
  if (--pauses_ == 0)
    run();
}

void deferred_state::end_pauses() noexcept {
  pauses_ = 0;
  run();
}

// A loop, not a recursion: coroutines may wait for one another, however many they are.
void deferred_state::cancel() {
  auto* s = this;
  s->retain();
  while (s != nullptr) {
    auto* last = s;
    while (last->waiting_on_ != nullptr)
      last = last->waiting_on_;
    last->retain();
    s->release();
    s = std::exchange(last, last->cancel_one());
    if (last != nullptr)
      last->retain();
    s->release();
    s = last;
  }
}

deferred_state* deferred_state::cancel_one() {
  if (called_ || cancelling_)
    return nullptr;
  deferred_state* instead = nullptr;
  if (canceller_.act != nullptr) {
    cancelling_ = true;
    try {
      instead = canceller_.act(canceller_, this);
    } catch (...) {
      if (!called_) {
        set_failure(caught());
        fire(source_location::current());
      }
    }
    cancelling_ = false;
    if (called_)
      drop_canceller();
  } else {
    ignore_next_ = true;
  }
  if (!called_ && !canceller_decides_) {
    set_failure(failure(errc::cancelled));
    fire(source_location::current());
  }
  return instead;
}

// What ends together may own more of the same, so that a long chain is taken apart in a loop.
void deferred_state::destroy() noexcept {
  if (head_ == tail_ && linked_to_ == nullptr && ops_ == nullptr && canceller_.act == nullptr) {
    end();
    return;
  }
  static thread_local deferred_state* more = nullptr;
  static thread_local bool busy = false;
  waiting_on_ = std::exchange(more, this);
  if (busy)
    return;
  busy = true;
  while (more != nullptr)
    std::exchange(more, more->waiting_on_)->end();
  busy = false;
}

void deferred_state::end() noexcept {
  references_ = 1u << 30; // what is destroyed below may still reach it
  waiting_on_ = nullptr;
  ended_ = true;
  retain_place(); // so may what names its place
  if (failed()) {
    const auto why = take_failure();
    if (!unwanted_)
      hook.load()({why, created()});
  } else if (content_ == content::value) {
    drop_value();
  }
  drop_canceller();
  drop_links();
  while (segments_ != nullptr)
    delete std::exchange(segments_, segments_->next);
  release_place();
}

void deferred_state::free_place() noexcept {
  const auto size = sizeof(deferred_state) + links_ * sizeof(deferred_slot);
  this->~deferred_state();
  give_block(this, size);
}

void deferred_state::abandon() noexcept {
  if (called_ || cancelling_) // a canceller that drops the promise has done what it should
    return;
  called_ = true;
  abandoned_ = true;
  drop_canceller();
  retain();
  drop_links();
  release();
}

void deferred_state::disown() noexcept {
  retain();
  unwanted_ = true;
  if (!running_)
    drop_links();
  cancel();
  release();
}

// Takes a chain of what waits for one another apart in a loop.
void deferred_state::drop_links() noexcept {
  deferred_state* more = nullptr; // through waiting_on_, of which these have no more need
  auto add = [&more](deferred_state* s) {
    s->waiting_on_ = std::exchange(more, s);
  };
  auto drop = [&add](deferred_state* s) {
    while (s->head_ != s->tail_) {
      auto& slot = *s->head_++;
      if (auto* next = slot.act(slot, nullptr))
        add(next);
      if (s->head_ == s->tail_ || s->head_ == s->head_limit_)
        s->slots_used_up();
    }
    if (auto* next = std::exchange(s->linked_to_, nullptr))
      add(next);
  };
  drop(this);
  while (more != nullptr) {
    auto* s = std::exchange(more, std::exchange(more->waiting_on_, nullptr));
    s->called_ = true;
    s->abandoned_ = true;
    s->drop_canceller();
    drop(s);
    s->release();
  }
}

} // namespace detail
} // namespace troupe
