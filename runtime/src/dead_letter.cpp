// Messages that nobody handles: counted, told of in the log, and handed to who wants to see them.
#include <troupe/runtime/dead_letter.hpp>

#include <string>
#include <typeinfo>
#include <utility>

#include <caf/abstract_actor.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/system_messages.hpp>
#include <caf/type_nr.hpp>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/runtime.hpp>

#include "log.hpp"
#include "telling.hpp"

namespace troupe {

std::string_view name(dead_letter_reason reason) noexcept {
  switch (reason) {
  case dead_letter_reason::actor_ended:
    return "actor_ended";
  case dead_letter_reason::no_handler:
    return "no_handler";
  case dead_letter_reason::mailbox_full:
    return "mailbox_full";
  case dead_letter_reason::dropped:
    return "dropped";
  case dead_letter_reason::no_member:
    return "no_member";
  }
  return "unknown";
}

namespace detail {

bool is_of_the_system(const caf::type_erased_tuple& content) noexcept {
  const auto is_one = [token = content.type_token()](auto... tokens) {
    return ((token == tokens) || ...);
  };
  return is_one(caf::make_type_token<caf::exit_msg>(), caf::make_type_token<caf::down_msg>(),
                caf::make_type_token<caf::timeout_msg>(),
                caf::make_type_token<caf::group_down_msg>());
}

void tell_observer(loop_scheduler& scheduler, const dead_letter& letter) noexcept {
  static thread_local constinit bool inside = false;
  try {
    scheduler.metrics()
      .add_counter("troupe_dead_letters_total", "Messages that nobody handled, by reason.",
                   {{"reason", std::string{name(letter.reason)}}})
      .add();
    if (inside)
      return; // it sent this itself
    const auto observer = telling::observer_of(scheduler);
    if (!observer)
      return;
    inside = true;
    (*observer)(letter);
  } catch (...) {
    // There is nobody to tell.
  }
  inside = false;
}

namespace {

// Who sent a message that is lost for want of room is not told, so it is a warning; who asked is.
void tell(loop_scheduler& scheduler, event_loop& loop, const caf::abstract_actor& to,
          const caf::mailbox_element& what, dead_letter_reason why) {
  if (why == dead_letter_reason::actor_ended)
    loop.count_dead_letter();
  const auto& content = what.content();
  const bool asked = what.mid.is_request();
  auto kind = std::string{name(why)} + ' ' + typeid(to).name();
  append_types(kind, content);
  const auto level =
    asked || why == dead_letter_reason::actor_ended ? log_level::debug : log_level::warn;
  scheduler.repeats().note(kind, level, [&] {
    const auto* const text =
      why == dead_letter_reason::actor_ended ? "] has ended, and does not get "
      : why == dead_letter_reason::no_member ? "] has nobody to take "
      : why == dead_letter_reason::dropped   ? "] has a full mailbox, and drops "
                                             : "] has a full mailbox, and does not get ";
    return "[" + class_name(typeid(to)) + ", actor " + std::to_string(to.id()) + text
           + describe_message(content);
  });
  tell_observer(scheduler, {why, to, what.sender, content, asked});
}

} // namespace

void note_dead_letter(const caf::abstract_actor& to, const caf::mailbox_element& what,
                      dead_letter_reason why) noexcept {
  try {
    const auto& content = what.content();
    if (what.mid.is_response() || is_of_the_system(content) || is_internal(content))
      return;
    auto* const here = event_loop::current();
    if (here != nullptr && &here->scheduler().system() == &to.home_system())
      return tell(here->scheduler(), *here, to, what, why);
    // The handle of an actor that has ended may be there longer than its runtime.
    telling::with_scheduler_of(to.home_system(), [&](loop_scheduler& scheduler) {
      tell(scheduler, scheduler.loop(0), to, what, why);
    });
  } catch (...) {
    // It was counted, if that was possible.
  }
}

} // namespace detail

void observe_dead_letters(runtime& rt, std::function<void(const dead_letter&)> observer) {
  detail::telling::set_observer(rt.scheduler(), std::move(observer));
}

} // namespace troupe
