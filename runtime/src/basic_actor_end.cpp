// How actors that others spawn begin, and how actors end: what CAF does, where there is something to do.
#include <troupe/runtime/basic_actor.hpp>

#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <caf/detail/sync_request_bouncer.hpp>
#include <caf/sec.hpp>

#include <troupe/runtime/coroutine.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

#include "awaited.hpp"
#include "bounds.hpp"
#include "log.hpp"
#include "mailbox.hpp"

namespace troupe {

namespace {

// Who sent it is not told that it was dropped, so it is a warning; who asked is.
caf::result<caf::message> nobody_takes(caf::scheduled_actor* actor, caf::message_view& what) {
  auto& self = static_cast<basic_actor&>(*actor);
  auto& scheduler = loop_scheduler::of(self.home_system());
  auto* const here = event_loop::current();
  (here != nullptr && &here->scheduler() == &scheduler ? *here : scheduler.loop(0))
    .count_unhandled_message();
  const auto& content = what.content();
  const auto* const element = self.current_mailbox_element();
  const bool asked = element != nullptr && element->mid.is_request();
  auto kind = std::string{"no handler "} + typeid(self).name();
  detail::append_types(kind, content);
  scheduler.repeats().note(kind, asked ? log_level::debug : log_level::warn, [&] {
    return "[" + detail::name_for_log(self) + "] no handler for "
           + detail::describe_message(content);
  });
  static const caf::strong_actor_ptr nobody;
  detail::tell_observer(scheduler, {dead_letter_reason::no_handler, self,
                                    element != nullptr ? element->sender : nobody, content, asked});
  if (!asked) // an error would go to the sender as a message, which ends whoever does not expect it
    return caf::message{};
  return caf::make_error(caf::sec::unexpected_message, detail::describe_message(content));
}

template <class R, class... Ts>
bool is(const std::function<R(Ts...)>& handler, R (*what)(std::type_identity_t<Ts>...)) noexcept {
  const auto* const function = handler.template target<R (*)(Ts...)>();
  return function != nullptr && *function == what;
}

} // namespace

void basic_actor::queue_first(basic_actor& made, caf::execution_unit& host) {
  made.count_as_running();
  host.exec_later(&made);
}

void basic_actor::count_as_running() {
  auto* const loop = event_loop::current();
  if (loop == nullptr || &loop->system() != &home_system() || !loop->take_ended())
    return register_at_system();
  setf(is_registered_flag);
}

void basic_actor::count_as_ended() noexcept {
  auto* const loop = event_loop::current();
  if (!getf(is_registered_flag) || loop == nullptr || &loop->system() != &home_system())
    return;
  unsetf(is_registered_flag);
  loop->count_ended();
}

// Most actors end without a message for which these are asked, so they are put in their places behind the first: where
// CAF's stand, which print, and in an actor that has quit, where its user has put none in place since.
void basic_actor::complete_handlers() {
  if (getf(detail::quits_flag)) {
    unsetf(detail::quits_flag);
    if (is(exit_handler_, &default_exit_handler))
      exit_handler_ = [](caf::scheduled_actor*, caf::exit_msg&) {
      };
    if (is(down_handler_, &default_down_handler))
      down_handler_ = [](caf::scheduled_actor*, caf::down_msg&) {
      };
    if (is(error_handler_, &default_error_handler))
      error_handler_ = [](caf::scheduled_actor*, caf::error&) {
      };
    if (is(default_handler_, &caf::print_and_drop) || is(default_handler_, &nobody_takes))
      default_handler_ = [](caf::scheduled_actor* self, caf::message_view&) {
        return self->current_message_id().is_request()
                 ? caf::result<caf::message>{caf::make_error(caf::sec::request_receiver_down)}
                 : caf::result<caf::message>{caf::message{}};
      };
  }
  if (is(default_handler_, &caf::print_and_drop))
    default_handler_ = &nobody_takes;
  if (is(exception_handler_, &default_exception_handler))
    exception_handler_ = [](caf::scheduled_actor* self, std::exception_ptr& e) -> caf::error {
      try {
        std::rethrow_exception(e);
      } catch (...) {
        static_cast<basic_actor*>(self)->log_current_exception();
      }
      return failure{e}.to_caf_error();
    };
}

// CAF puts its handlers for what comes behind the end in place here, and looks through all streams. What the user's
// handlers own goes now, too: it may be the actor itself.
void basic_actor::quit(caf::error reason) {
  if (!stream_managers_.empty() || !pending_stream_managers_.empty()
      || !is(exit_handler_, &default_exit_handler) || !is(down_handler_, &default_down_handler)
      || !is(error_handler_, &default_error_handler)
      || !(is(default_handler_, &caf::print_and_drop) || is(default_handler_, &nobody_takes)))
    [[unlikely]]
    return super::quit(std::move(reason));
  if (getf(is_shutting_down_flag))
    return;
  setf(is_shutting_down_flag | detail::quits_flag);
  fail_state_ = std::move(reason);
  bhvr_stack_.clear();
  awaited_responses_.clear();
  multiplexed_responses_.clear();
}

bool basic_actor::cleanup(caf::error&& reason, caf::execution_unit* host) {
  // What is dropped here may look at this actor, and wait for more.
  while (const auto dropped = std::move(awaited_)) {
    for (auto& [id, response] : dropped->takers)
      response.cancel_timeout();
    for (const auto& weak : dropped->debts)
      if (const auto debt = weak.lock())
        debt->debtor_ended();
    detail::coroutine_base::destroy_all(dropped->coroutines);
  }
  if (getf(detail::is_bounded_flag | detail::is_held_flag)) [[unlikely]]
    detail::ends_feeding(*this);
  count_as_ended();
  const auto note = [this](const caf::mailbox_element& x) {
    detail::note_dead_letter(*this, x, dead_letter_reason::actor_ended);
  };
  const bool plain =
    !getf(is_detached_flag) && stream_managers_.empty() && pending_stream_managers_.empty();
  auto& queue = mailbox().queue();
  if (!mailbox().closed()) {
    if (plain)
      mailbox().close();
    else if (!mailbox().blocked()) // with nothing in it
      mailbox().fetch_more();
    get_urgent_queue().flush_cache(); // what it skipped is lost as well
    get_normal_queue().flush_cache();
    if (!queue.empty()) {
      get_urgent_queue().peek_all(note);
      get_normal_queue().peek_all(note);
    }
  }
  if (!plain) [[unlikely]]
    return super::cleanup(std::move(reason), host);
  // The rest is CAF's as well, but for what an actor that has no streams has not got.
  awaited_responses_.clear();
  multiplexed_responses_.clear();
  if (!queue.empty()) {
    caf::detail::sync_request_bouncer bounce{reason};
    while (queue.new_round(1000, bounce).consumed_items)
      ;
  }
  return caf::local_actor::cleanup(std::move(reason), host);
}

} // namespace troupe
