#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <caf/execution_unit.hpp>
#include <caf/mailbox_element.hpp>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/detail/asio_definitions.hpp>
#include <troupe/runtime/detail/home_thread.hpp>
#include <troupe/runtime/detail/inbox.hpp>
#include <troupe/runtime/detail/loop_counting.hpp>
#include <troupe/runtime/detail/run_queue.hpp>
#include <troupe/runtime/detail/turn_watch.hpp>
#include <troupe/runtime/options.hpp>
#include <troupe/runtime/timer_queue.hpp>

namespace troupe {

class loop_scheduler;
class pinned_actor;

namespace detail {
class theft_watch;
class wake_timer;
} // namespace detail

/// Something with work to finish when the turn of its loop ends: a transport that was written to.
class end_of_turn {
public:
  /// Runs once for each `event_loop::at_end_of_turn` or `before_flush`. It must not throw.
  virtual void turn_ended() noexcept = 0;

  /// Runs once for each `event_loop::after_flush`. It must not throw.
  virtual void turn_flushed() noexcept {}

protected:
  ~end_of_turn() = default;
};

/// One thread's event loop, which is also one worker of the actor scheduler.
///
/// A turn: 1 take I/O events (waiting only if there is nothing to run; where there is, turns that
/// follow each other within 10 us look for them once), 2 make the delayed calls that are due, 3 take
/// in what other threads queued, 4 resume a bounded number of actors, 5 flush what was written. Each
/// of 1 to 4 goes on for a bounded time, too (`runtime_options::time_per_turn`).
/// See runtime/README.md for the picture.
///
/// As CAF's execution unit it takes floating actors, which other loops may steal; `lane()` takes
/// pinned ones, which never leave.
///
/// Thread: the loop's own, unless a member says otherwise.
class event_loop final : public caf::execution_unit {
public:
  event_loop(loop_scheduler& scheduler, std::size_t index, const runtime_options& options,
             std::size_t loops);
  ~event_loop() override;
  event_loop(const event_loop&) = delete;
  event_loop& operator=(const event_loop&) = delete;

  /// Returns the loop whose turn the calling thread is in, or null. Thread: any.
  [[nodiscard]] static event_loop* current() noexcept { return current_; }

  /// Tells whether the calling thread is inside a turn of this loop. Thread: any.
  [[nodiscard]] bool is_current() const noexcept { return current_ == this; }

  /// Throws if the calling thread is not that of this loop: the one that turns it, or, while none does,
  /// the one that made the runtime. What belongs to a loop begins with it:
  ///
  /// ```cpp
  /// loop_.expect_here("call_later", "use call_from_thread");
  /// ```
  ///
  /// With `runtime_options::check_threads` off, and NDEBUG, it does nothing.
  ///
  /// \param function  what was called
  /// \param instead   what to do
  /// \throws std::logic_error "call_later: this is not the thread of loop 0; use call_from_thread"
  /// Thread: any.
  void expect_here(const char* function, const char* instead) const {
    home_.expect(function, instead);
  }

  /// Tells whether the calling thread is that of this loop, as `expect_here` means it. Thread: any.
  [[nodiscard]] bool is_here() const noexcept { return home_.here(); }

  /// Called by the handler of an operation that enters no actor: what the loop does from here on is
  /// work, no wait.
  ///
  /// \returns false if the runtime is over: then the handler does nothing but let go of what it has
  static bool handler_begins() {
    if (current_ == nullptr)
      return true;
    if (current_->waits_)
      current_->begin_work();
    return !current_->over_;
  }

  /// Tells whether what goes on at the moment has gone on for as long as it may in one turn. Who has much
  /// to do asks now and then, and leaves the rest to a later turn.
  [[nodiscard]] bool should_yield() const noexcept {
    return watch_.step_was_long() && watch_.share_is_over(time());
  }

  /// Returns a time up to which all that came for this loop's sockets has been handed out. After a pause
  /// of the loop or of the machine it lies behind: who takes silence for an end waits until then.
  [[nodiscard]] time_point heard_until() const noexcept { return heard_until_; }

  [[nodiscard]] std::size_t index() const noexcept { return index_; }
  [[nodiscard]] loop_scheduler& scheduler() const noexcept { return scheduler_; }

  /// The Asio context whose operations complete in this loop's turns.
  [[nodiscard]] asio::io_context& io() noexcept { return *io_; }

  /// The delayed calls of this loop.
  [[nodiscard]] timer_queue& timers() noexcept { return timers_; }

  /// Returns the present time of this loop: that of the steady clock, or of what the runtime was
  /// given in its place (`runtime_options::time_source`). Thread: any.
  [[nodiscard]] time_point time() const noexcept {
    return time_source_ == nullptr ? std::chrono::steady_clock::now() : time_source_->now();
  }

  /// Returns the present time of the loop whose turn it is, or else of the steady clock.
  /// Thread: any.
  [[nodiscard]] static time_point now() noexcept {
    const auto* const loop = current_;
    return loop != nullptr ? loop->time() : std::chrono::steady_clock::now();
  }

  /// Runs `fn` in a coming turn of this loop. An exception that leaves it is logged.
  ///
  /// Functions that are never reached, because the runtime ends first, are destroyed unrun.
  /// Thread: any. Order: global, as far as calls have one (`detail::inbox`).
  void post(task fn);

  /// As `post`, but does not wake the loop: the function runs when something else does.
  void post_quietly(task fn);

  /// Tells whether what is done now comes behind all that whoever does it has posted to this loop. It
  /// may not where a floating actor runs: that may have posted from another loop, a moment ago.
  [[nodiscard]] bool keeps_order() const noexcept {
    return alone_ || !runs_floating_ || inbox_.empty();
  }

  /// Tells whether a floating actor runs at the moment, which may go on in another loop.
  [[nodiscard]] bool runs_floating() const noexcept { return runs_floating_; }

  /// Queues a floating actor. Thread: any. Takes over one reference.
  void exec_later(caf::resumable* job) override;

  /// The execution unit for actors that must stay on this loop.
  [[nodiscard]] caf::execution_unit& lane() noexcept { return lane_; }

  /// Calls `what.turn_ended()` once, at the end of the present turn, or of the next one if called
  /// between turns. `what` must live until then or be taken back with `forget`.
  void at_end_of_turn(end_of_turn& what) { ending_.push_back(&what); }

  /// As `at_end_of_turn`, but before all that is called for that. Who gathers in a turn what another process or loop
  /// is to get hands it on then; a transport that is written to for the first time in this turn sends it at once, so that
  /// the other side works on it while the rest is sent.
  void before_flush(end_of_turn& what) { gathering_.push_back(&what); }

  /// Calls `what.turn_flushed()` once, when all `turn_ended()` of the present turn have been called.
  /// `what` must live until then.
  void after_flush(end_of_turn& what) { flushed_.push_back(&what); }

  /// Takes back what was put off by `at_end_of_turn` or `before_flush`.
  void forget(end_of_turn& what) noexcept;

  /// Leaves behind a mailbox element with no sender, for an actor that is entered without a
  /// message: CAF's own pointer to its current element dangles between messages.
  [[nodiscard]] caf::mailbox_element& no_message() noexcept { return *no_message_; }

  /// Returns the pinned actor that handles a message at the moment, or null.
  [[nodiscard]] pinned_actor* running() const noexcept { return running_; }

  /// Returns the actor whose code runs at the moment, entered or resumed, or null.
  [[nodiscard]] caf::scheduled_actor* acting() const noexcept { return acting_; }

  /// Tells whether `stop()` was called for the runtime: `reactor::stop_requested`. Thread: any.
  [[nodiscard]] bool stop_requested() const noexcept;

  /// Tells whether nothing new should begin on this loop, for the runtime stops and the `before`
  /// triggers of that are over. `stop_requested()` is true before.
  [[nodiscard]] bool stopping() const noexcept { return stopping_; }

  /// Calls `fn` with each pinned actor of this loop that has been activated and has not ended.
  void each_pinned(const std::function<void(pinned_actor&)>& fn);

  /// Returns what this loop did so far. Thread: any.
  [[nodiscard]] loop_counters counters() const noexcept;

  /// Counts bytes that came from, or went to, the system.
  void count_received(std::size_t bytes) noexcept { counting_.bytes_received.add(bytes); }
  void count_sent(std::size_t bytes) noexcept { counting_.bytes_sent.add(bytes); }

  /// Counts a write that found the output of its connection full, and was dropped.
  void count_dropped_write() noexcept { counting_.writes_dropped.add(); }
  [[nodiscard]] std::uint64_t writes_dropped() const noexcept {
    return counting_.writes_dropped.get();
  }

  /// Counts subscribers that did not get a publication.
  void count_dropped_publications(std::uint64_t n) noexcept {
    counting_.publications_dropped.add(n);
  }

  /// Counts a message that its actor had no handler for, or that came for an actor which has ended.
  /// Thread: any.
  void count_unhandled_message() noexcept { counting_.unhandled_messages.add(); }
  void count_dead_letter() noexcept { counting_.dead_letters.add(); }

  /// CAF counts the actors that run, in one number for all threads. One that ends here is counted on, for the next one
  /// that is spawned here, until this loop has nothing to do, or some turns have passed.
  void count_ended() noexcept { ++ended_; }
  /// Returns whether one that is spawned is counted already.
  [[nodiscard]] bool take_ended() noexcept { return ended_ != 0 && ended_-- != 0; }

  /// Returns how many pinned actors of this loop exist. Thread: any.
  [[nodiscard]] std::uint32_t load() const noexcept {
    return load_.load(std::memory_order_relaxed);
  }

private:
  friend class loop_scheduler;
  friend class reactor;
  friend class pinned_actor;
  friend class detail::wake_timer;

  // Takes pinned actors. A second execution unit, because CAF tells a unit nothing but the job.
  struct pinned_lane final : caf::execution_unit {
    pinned_lane(caf::actor_system* sys, event_loop& l) : caf::execution_unit(sys), loop(l) {}
    void exec_later(caf::resumable* job) override { loop.enqueue_pinned(job); }
    event_loop& loop;
  };

  enum class mode : std::uint8_t { block, poll };

  // While one exists, the calling thread is in a turn of `loop`, which is its own.
  class turning {
  public:
    explicit turning(event_loop& loop) noexcept
      : loop_(loop), before_(std::exchange(current_, &loop)), owner_(loop.home_.move()) {}
    ~turning() {
      loop_.settle_ended();
      loop_.home_.give_back(owner_);
      current_ = before_;
    }
    turning(const turning&) = delete;
    turning& operator=(const turning&) = delete;

  private:
    event_loop& loop_;
    event_loop* const before_;
    const void* const owner_;
  };

  void run();             // turns until leave() is called
  void iterate(mode how); // turns once
  void leave();           // any thread
  void work();
  [[nodiscard]] bool goes_on_without_io();
  [[nodiscard]] bool has_due_call();
  void take_io(bool may_wait);
  void wait_for_io();
  void wait_for_event();
  void begin_work();
  void stop_sleeping();
  bool has_arrived() const noexcept { return !inbox_.empty() || !arrivals_.empty(); }
  bool run_operation(bool wait) noexcept;
  bool poll_for_peers();
  void make_calls();
  void take_inbox();
  std::size_t take_arrivals(event_loop& of);
  void run_actors();
  bool resume(caf::resumable* job, bool pinned);
  void hasten_woken(bool feeds);
  void settle_ended();
  bool hand_on() noexcept;
  void gather();
  void flush();
  [[nodiscard]] bool has_endings() const noexcept {
    return !gathering_.empty() || !ending_.empty() || !flushed_.empty();
  }
  bool steal();
  bool may_take_from(const event_loop& peer) const noexcept;
  void judge_theft(bool is_over);
  void note_what_others_did() noexcept;
  void count_message() noexcept; // to this loop; any thread
  bool has_jobs() const noexcept { return pinned_.size() != 0 || floating_.size() != 0; }
  bool has_queued() const noexcept { return has_jobs() || has_arrived() || has_endings(); }
  void enqueue_pinned(caf::resumable* job);
  void push_from_outside(detail::inbox_node* node);
  void wake();           // any thread
  bool wake_if_asleep(); // any thread
  void begin_stop();     // asks every pinned actor of this loop to end
  void end_pinned();     // ends them now; from then on none begins
  enum class leftovers { keep_actors, end_actors, drop_actors };
  bool take_leftovers(leftovers what); // what came while nothing turns; false if nothing did
  void end_pinned_from_outside();      // while nothing turns
  void shut_io();                      // drops what waits for the system, and the context
  static void drop(caf::resumable* job, caf::execution_unit& unit, bool briefly);

  static constexpr auto between_looks_at_io =
    std::chrono::microseconds(10);                // of who has work, or polls
  static constexpr std::size_t first_portion = 2; // of messages, behind which the time is looked at
  static constinit thread_local event_loop* current_;

  loop_scheduler& scheduler_;
  const std::size_t index_;
  const runtime_options& options_;
  const clock* const time_source_; // null is the steady clock
  const bool alone_;               // no other loops: nobody steals, nobody is spun for
  detail::home_thread home_;

  std::optional<asio::io_context> io_;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::unique_ptr<detail::wake_timer> wake_timer_;
  std::unique_ptr<detail::wake_timer> lookout_; // set by other loops; null if there are none
  std::unique_ptr<detail::theft_watch> thefts_; // null if there are no others
  timer_queue timers_;
  pinned_lane lane_;
  detail::job_ring pinned_;
  detail::stealable_queue floating_;
  std::vector<end_of_turn*> gathering_; // come before those of `ending_`
  std::vector<end_of_turn*> ending_;
  std::vector<end_of_turn*> flushed_;
  caf::mailbox_element_ptr no_message_;
  pinned_actor* running_ = nullptr;
  caf::scheduled_actor* acting_ = nullptr;
  pinned_actor* first_pinned_ = nullptr; // list of the initialised ones, each holds a reference
  detail::loop_counting counting_;
  detail::turn_watch watch_;
  time_point heard_until_{};
  time_point looked_at_io_{};
  std::uint8_t turns_without_io_ = 0; // since then
  std::size_t portion_; // how many messages an actor handles before the time is looked at
  bool waits_ = false;  // for events; work ends it
  bool sleeps_ = false; // has said so to the others
  bool stopping_ = false;
  bool over_ = false;                     // pinned actors have been ended, and none may begin
  std::vector<detail::inbox_node*> kept_; // what the caretaker left to the thread that destroys
  bool runs_floating_ = false;            // at the moment, that is
  bool in_order_ = false;          // actors run in the present turn, however much has been made
  bool runs_hastened_ = false;     // one that came before others, at the moment
  bool was_cut_ = false;           // such a one, by the time, and comes first once more
  std::size_t hastened_ = 0;       // floating actors, in front of the queue
  std::size_t woken_ = 0;          // floating actors, by the one that runs at the moment
  std::size_t ended_ = 0;          // actors that CAF takes for running
  std::ptrdiff_t usual_bytes_ = 0; // of messages and actors, slowly on the way to the present ones

  // Whether polling for peers pays: a running mean of the gaps between running dry and being
  // handed work from outside.
  std::int64_t mean_gap_ = 0;

  detail::inbox inbox_;
  detail::inbox_node inbox_end_; // where the present pass over the inbox ends
  bool inbox_end_queued_ = false;
  detail::arrivals arrivals_;
  alignas(64) std::atomic<bool> asleep_{false};
  std::atomic<bool> leaving_{false};
  std::atomic<bool> on_lookout_{false};
  std::atomic<std::int64_t> woken_at_{0};
  alignas(64) std::atomic<std::uint32_t> load_{0}; // whoever makes an actor adds to it
};

} // namespace troupe
