// An actor's mailbox: how messages come in, how they are taken out, and what its bound does.
#include "mailbox.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <tuple>
#include <utility>

#include <caf/intrusive/inbox_result.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/mailbox_bound.hpp>
#include <troupe/runtime/pinned_actor.hpp>

#include "bounds.hpp"
#include "handler_timing.hpp"
#include "log.hpp"
#include "tracing.hpp"

namespace troupe {

namespace {

// As CAF has it: so many urgent messages, then so many others, then a look at what has come.
constexpr std::size_t urgent_in_a_round = 6;
constexpr std::size_t normal_in_a_round = 3;

constexpr std::size_t warn_beyond = 100'000;

constexpr int is_long_flag = 0x0020'0000; // the log was told that its mailbox is: no flag of CAF's

void complete_handlers(caf::scheduled_actor& actor) {
  if (auto* const ours = dynamic_cast<basic_actor*>(&actor))
    ours->complete_handlers();
}

// What CAF lets only an actor itself see.
class inside final : public caf::scheduled_actor {
public:
  static caf::error call_exception_handler(caf::scheduled_actor& actor, std::exception_ptr thrown) {
    complete_handlers(actor);
    return actor.call_handler(actor.*(&inside::exception_handler_), &actor, thrown);
  }
};

// Ends an actor that has quit. One that is pinned is entered for that, so that it is to whatever its `on_exit` calls.
bool finalize(caf::scheduled_actor& actor) {
  if (actor.getf(detail::is_pinned_flag) && !actor.alive())
    static_cast<pinned_actor&>(actor).enter([] {});
  return actor.finalize();
}

/// One pass over an actor's mailbox.
class mailbox_pass {
public:
  mailbox_pass(caf::scheduled_actor& actor, std::size_t most) noexcept
    : actor_(actor), most_(most) {}

  caf::resumable::resume_result run(caf::execution_unit* unit);

  /// Returns how many messages were handled so far.
  [[nodiscard]] std::size_t handled() const noexcept { return handled_; }

private:
  using task_result = caf::intrusive::task_result;

  auto& normal() {
    return std::get<caf::scheduled_actor::normal_queue_index>(actor_.mailbox().queue().queues());
  }
  auto& urgent() {
    return std::get<caf::scheduled_actor::urgent_queue_index>(actor_.mailbox().queue().queues());
  }
  // Streams of CAF's are left to CAF.
  bool has_streams() {
    return !actor_.stream_managers().empty() || !actor_.pending_stream_managers().empty();
  }
  bool has_stream_messages() {
    auto& queues = actor_.mailbox().queue().queues();
    return !std::get<caf::scheduled_actor::upstream_queue_index>(queues).empty()
           || !std::get<caf::scheduled_actor::downstream_queue_index>(queues).empty();
  }
  caf::resumable::resume_result leave_to_caf(caf::execution_unit* unit) {
    complete_handlers(actor_);
    arm_receive_timeout();
    return actor_.resume(unit, most_ - handled_);
  }
  bool ended() {
    return (actor_.getf(caf::abstract_actor::is_cleaned_up_flag) || !actor_.alive())
           && finalize(actor_);
  }
  bool is_held() const noexcept { return actor_.getf(detail::is_held_flag); }
  // Who sleeps with what it skipped makes no room, so that whoever feeds it would wait for ever.
  bool block() {
    if (bound_ != nullptr && bound_->holds.load(std::memory_order_relaxed)) [[unlikely]]
      if (!is_held() && normal().empty()) {
        bound_->slept.store(true, std::memory_order_relaxed);
        detail::let_go(*bound_);
      }
    return actor_.mailbox().try_block();
  }
  // What an actor's flags tell that is to be seen to behind a message.
  static constexpr int rare =
    caf::abstract_actor::is_cleaned_up_flag | detail::is_held_flag | detail::retries_flag;
  template <class Queue>
  bool round(Queue& queue, std::size_t most);
  template <class Queue>
  bool plain_round(Queue& queue, std::size_t most);
  task_result handle(caf::mailbox_element& x);
  task_result handle_traced(caf::mailbox_element& x);
  task_result end_by_exception(caf::mailbox_element& x);
  bool sift();
  void leaves(bool counted) {
    if (counted)
      detail::leaves(*bound_);
  }
  void arm_receive_timeout();
  void drop_oldest();
  void warn(std::size_t length);

  caf::scheduled_actor& actor_;
  const std::size_t most_;
  std::size_t handled_ = 0;
  const bool traces_ = detail::traces();
  bool stopped_ = false; // it may have ended, or waits for room
  bool retries_ = false; // what was skipped, before any other is handled
  detail::bound* bound_ = nullptr;
};

// CAF's `resume`, without what an actor with no streams has no use for: two queues that are visited in each
// round, a look at the clock in each, and the log's thread-local state.
caf::resumable::resume_result mailbox_pass::run(caf::execution_unit* unit) {
  if (actor_.getf(caf::abstract_actor::is_initialized_flag) && actor_.alive())
    [[likely]] // what `activate` looks at, without the call
    actor_.context(unit);
  else if (!actor_.activate(unit))
    return caf::resumable::done;
  if (actor_.getf(detail::is_bounded_flag)) [[unlikely]]
    bound_ = detail::bound_of(actor_);
  auto& mailbox = actor_.mailbox();
  for (bool first = true; handled_ < most_; first = false) {
    if (mailbox.fetch_more() || first) {
      if (normal().total_task_size() > warn_beyond) [[unlikely]]
        warn(normal().total_task_size());
      if (bound_ != nullptr && bound_->then == full_mailbox::drop_oldest) [[unlikely]]
        drop_oldest();
      if (has_stream_messages()) [[unlikely]]
        return leave_to_caf(unit);
    }
    if (has_streams()) [[unlikely]]
      return leave_to_caf(unit);
    bool any = false;
    if (!urgent().empty())
      any = round(urgent(), urgent_in_a_round);
    if (!normal().empty() && handled_ < most_)
      any = (is_held() ? sift() : round(normal(), normal_in_a_round)) || any;
    if (retries_) [[unlikely]] {
      retries_ = false;
      urgent().flush_cache();
      normal().flush_cache();
      ++handled_; // so that one who changes its mind for ever does not keep the loop
      any = true;
    }
    if (stopped_) [[unlikely]] {
      stopped_ = false;
      if (ended())
        return caf::resumable::done;
    }
    if (!any) {
      arm_receive_timeout();
      if (block())
        return caf::resumable::awaiting_message;
    }
  }
  arm_receive_timeout();
  return block() ? caf::resumable::awaiting_message : caf::resumable::resume_later;
}

// As CAF's `new_round`, where each message has the same weight: handles up to `most`, behind each of which those
// that were skipped come back. Returns whether there was one.
template <class Queue>
bool mailbox_pass::round(Queue& queue, std::size_t most) {
  if (queue.cache().empty() && bound_ == nullptr && !traces_ && !retries_) [[likely]]
    return plain_round(queue, most);
  bool any = false;
  for (std::size_t n = 0; n < most;) {
    queue.inc_deficit(1);
    auto x = queue.next();
    if (x == nullptr)
      break;
    const auto result = traces_ ? handle_traced(*x) : handle(*x);
    if (result == task_result::skip) {
      queue.cache().push_back(x.release());
      stopped_ = true;
      continue;
    }
    any = true;
    ++n;
    queue.flush_cache();
    if (result != task_result::resume) {
      stopped_ = stopped_ || result == task_result::stop;
      break;
    }
  }
  return any;
}

// The same where nothing was skipped, so that what is taken is the next, and nobody looks on.
template <class Queue>
bool mailbox_pass::plain_round(Queue& queue, std::size_t most) {
  const auto until = std::min(handled_ + most, most_);
  bool any = false;
  for (caf::mailbox_element_ptr x; (x = queue.take_front()) != nullptr; x.reset()) {
    auto result = caf::invoke_message_result::dropped;
    try {
      result = actor_.consume(*x);
    } catch (...) {
      end_by_exception(*x);
      stopped_ = true;
      return true;
    }
    if (result == caf::invoke_message_result::skipped) [[unlikely]] {
      if (actor_.getf(detail::retries_flag)) {
        actor_.unsetf(detail::retries_flag);
        retries_ = true;
      }
      queue.cache().push_back(x.release());
      stopped_ = true;
      return any;
    }
    any = true;
    if (result == caf::invoke_message_result::dropped) [[unlikely]]
      return true;
    actor_.bhvr_stack().cleanup();
    ++handled_;
    if (actor_.getf(rare) || !actor_.alive()) [[unlikely]] {
      stopped_ = true;
      if (!ended())
        actor_.unsetf(detail::retries_flag); // behind it, all that was skipped is tried anyway
      return true;
    }
    if (handled_ >= until)
      return true;
  }
  return any;
}

// One that waits for room elsewhere handles what no bound counts; the rest lies with what it skipped, in order.
// Each message is passed over once, not once for each that is handled.
bool mailbox_pass::sift() {
  auto& queue = normal();
  bool any = false;
  while (handled_ < most_ && is_held()) {
    queue.inc_deficit(1);
    auto x = queue.next();
    if (x == nullptr)
      break;
    if (detail::counts(*x)) {
      queue.cache().push_back(x.release());
      continue;
    }
    const auto result = traces_ ? handle_traced(*x) : handle(*x);
    if (result == task_result::skip) {
      queue.cache().push_back(x.release());
      stopped_ = true;
      continue;
    }
    any = true;
    if (actor_.getf(caf::abstract_actor::is_cleaned_up_flag) || !actor_.alive()) {
      stopped_ = true;
      break;
    }
  }
  return any;
}

// As CAF's `reactivate`, and what calls it.
caf::intrusive::task_result mailbox_pass::handle(caf::mailbox_element& x) {
  if (retries_) [[unlikely]]
    return task_result::skip; // the others go behind, in order
  const bool counted = bound_ != nullptr && detail::counts(x);
  try {
    switch (actor_.consume(x)) {
    case caf::invoke_message_result::skipped:
      if (actor_.getf(detail::retries_flag)) [[unlikely]] {
        actor_.unsetf(detail::retries_flag);
        retries_ = true;
      }
      return task_result::skip;
    case caf::invoke_message_result::dropped:
      leaves(counted);
      return task_result::resume;
    default:
      break;
    }
  } catch (...) {
    leaves(counted);
    return end_by_exception(x);
  }
  leaves(counted);
  actor_.bhvr_stack().cleanup();
  if (actor_.getf(rare) || !actor_.alive()) [[unlikely]] {
    if (ended())
      return task_result::stop;
    actor_.unsetf(detail::retries_flag); // behind it, all that was skipped is tried anyway
    if (is_held()) {
      ++handled_;
      return task_result::stop;
    }
  }
  return ++handled_ < most_ ? task_result::resume : task_result::stop_all;
}

caf::intrusive::task_result mailbox_pass::handle_traced(caf::mailbox_element& x) {
  detail::traced_visit visit{x, actor_};
  const auto result = handle(x);
  if (result == task_result::skip)
    visit.skipped();
  return result;
}

caf::intrusive::task_result mailbox_pass::end_by_exception(caf::mailbox_element& x) {
  auto why = inside::call_exception_handler(actor_, std::current_exception());
  if (x.mid.is_request())
    actor_.make_response_promise().deliver(why);
  actor_.quit(std::move(why));
  finalize(actor_);
  return task_result::stop;
}

void mailbox_pass::arm_receive_timeout() {
  auto& behaviors = actor_.bhvr_stack();
  if (handled_ > 0 && !behaviors.empty()
      && (actor_.getf(caf::abstract_actor::has_timeout_flag) || behaviors.back().timeout().valid()))
    [[unlikely]]
    actor_.set_receive_timeout();
}

// Makes room for what has come, from the front. What the bound does not count keeps its place.
void mailbox_pass::drop_oldest() {
  if (bound_->waiting.load(std::memory_order_relaxed) <= bound_->most)
    return;
  auto& queue = normal();
  queue.flush_cache(); // what was skipped is the oldest
  while (bound_->waiting.load(std::memory_order_relaxed) > bound_->most) {
    queue.inc_deficit(1);
    auto oldest = queue.next();
    if (oldest == nullptr)
      break; // others are on their way
    if (!detail::counts(*oldest)) {
      queue.cache().push_back(oldest.release());
      continue;
    }
    leaves(true);
    detail::refuse_message(actor_, *oldest, dead_letter_reason::dropped);
  }
  queue.flush_cache();
}

void mailbox_pass::warn(std::size_t length) {
  if (actor_.getf(is_long_flag))
    return;
  actor_.setf(is_long_flag);
  try {
    const auto* const ours = dynamic_cast<const basic_actor*>(&actor_);
    loop_scheduler::of(actor_.home_system())
      .logger()
      .warn("[{}] has {} messages in its mailbox: they come faster than it handles them",
            ours != nullptr
              ? detail::name_for_log(*ours)
              : detail::class_name(typeid(actor_)) + ", actor " + std::to_string(actor_.id()),
            length);
  } catch (...) {
    // Without memory nothing can be told.
  }
}

} // namespace

caf::resumable::resume_result detail::resume_actor(caf::scheduled_actor& actor,
                                                   caf::execution_unit* unit, std::size_t most,
                                                   std::size_t* handled) {
  mailbox_pass pass{actor, most};
  const auto result = pass.run(unit);
  if (handled != nullptr) [[unlikely]]
    *handled = pass.handled();
  return result;
}

std::size_t detail::waiting_messages(caf::scheduled_actor& actor) noexcept {
  auto& queues = actor.mailbox().queue().queues();
  return std::get<caf::scheduled_actor::normal_queue_index>(queues).total_task_size();
}

// What CAF does, but for a reference to the sender that only a request needs: it is told if the mailbox is
// closed.
void detail::deliver(caf::scheduled_actor& actor, caf::mailbox_element_ptr what,
                     caf::execution_unit* unit) {
  if (actor.getf(is_bounded_flag | caf::abstract_actor::is_detached_flag)) [[unlikely]] {
    if (actor.getf(is_bounded_flag) && !admits(actor, *what))
      return;
    if (actor.getf(caf::abstract_actor::is_detached_flag))
      return actor.caf::scheduled_actor::enqueue(std::move(what), unit);
  }
  if (traces()) [[unlikely]]
    what = with_trace(std::move(what));
  if (what->mid.is_request()) {
    if (times_handlers() && actor.mailbox().blocked()) [[unlikely]]
      note_arrival(actor);
    return actor.caf::scheduled_actor::enqueue(std::move(what), unit);
  }
  if (actor.mailbox().push_back(std::move(what)) == caf::intrusive::inbox_result::unblocked_reader)
    wake(actor, unit);
}

void detail::wake(caf::scheduled_actor& actor, caf::execution_unit* unit) {
  if (times_handlers()) [[unlikely]] // no loop has the actor yet
    note_arrival(actor);
  intrusive_ptr_add_ref(actor.ctrl()); // the queue's
  if (unit != nullptr)
    unit->exec_later(&actor);
  else
    actor.home_system().scheduler().enqueue(&actor);
}

void detail::forget_actor(const caf::scheduled_actor& actor) noexcept {
  if (times_handlers()) [[unlikely]]
    forget_arrival(actor);
  if (actor.getf(is_bounded_flag))
    forget_bound(actor);
}

std::size_t mailbox_length(basic_actor& self) noexcept {
  auto& box = self.mailbox();
  return box.blocked() || box.closed() ? 0 : box.size();
}

} // namespace troupe
