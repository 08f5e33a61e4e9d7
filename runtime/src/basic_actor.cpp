#include <troupe/runtime/basic_actor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <typeinfo>
#include <utility>
#include <vector>

#include <caf/actor_clock.hpp>
#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/logger.hpp>
#include <caf/sec.hpp>
#include <caf/system_messages.hpp>

#include <troupe/runtime/detail/answering.hpp>
#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/skipped.hpp>

#include "awaited.hpp"
#include "bounds.hpp"
#include "log.hpp"
#include "mailbox.hpp"
#include "tracing.hpp"

namespace troupe {

namespace {

// A message that is a function to run. CAF copies messages, so the function is shared.
struct actor_call {
  std::shared_ptr<task> fn;
};

} // namespace
} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::actor_call)

namespace troupe {

// All types that stay inside a process have one token. The type is known here only, so its name need not
// be compared.
bool detail::is_internal(const caf::type_erased_tuple& content) noexcept {
  return content.type_token() == caf::make_type_token<actor_call>()
         && content.type(0).second == &typeid(actor_call);
}

// Makes a name for the log from one that may not be there.
std::string detail::name_for_log(const basic_actor& self) noexcept {
  try {
    return self.log_name();
  } catch (...) { // it may be the user's
    return "actor " + std::to_string(self.id());
  }
}

namespace {

// Tells messages that CAF handles itself, or may, and calls, from those that are the behavior's only.
template <class T>
constexpr std::uint64_t bit_of_single() {
  static_assert(caf::type_nr<T>::value < 64);
  return std::uint64_t{1} << caf::type_nr<T>::value;
}
constexpr bool may_be_internal(std::uint32_t token) noexcept {
  // The number of a message of one element: six bits of its type, and ones.
  constexpr auto single = ~std::uint32_t{63};
  static_assert(caf::make_type_token<caf::exit_msg>()
                == (single | caf::type_nr<caf::exit_msg>::value));
  constexpr auto bits = bit_of_single<caf::exit_msg>() | bit_of_single<caf::down_msg>()
                        | bit_of_single<caf::timeout_msg>() | bit_of_single<caf::error>()
                        | bit_of_single<caf::open_stream_msg>() | bit_of_single<actor_call>();
  if (token >= single)
    return (bits >> (token & 63) & 1) != 0;
  return token == caf::make_type_token<caf::atom_value, caf::atom_value, std::string>();
}

} // namespace

basic_actor::~basic_actor() {
  detail::forget_actor(*this);
}

basic_actor::basic_actor(caf::actor_config& cfg) : super(cfg) {
  // Who spawns an actor leaves CAF's log in its thread, where all that follows would look for it.
  // `spawn` does not.
  if ((cfg.flags & detail::queued_first_flag) == 0)
    CAF_SET_LOGGER_SYS(nullptr);
  if ((cfg.flags & is_detached_flag) != 0) // its thread resumes it by CAF's way
    complete_handlers();
}

std::string basic_actor::log_name() const {
  const auto role = loop_scheduler::of(home_system()).role_of(id());
  return detail::class_name(typeid(*this)) + ", "
         + (role.empty() ? "actor " + std::to_string(id()) : role);
}

void basic_actor::log_current_exception() const noexcept {
  try {
    // Const for who calls it: CAF's function is not.
    const auto* const message = const_cast<basic_actor*>(this)->current_mailbox_element();
    const auto place = message == nullptr || message->content().empty() ? std::string{"its code"}
                       : detail::is_internal(message->content())
                         ? std::string{"a call"}
                         : "the handler of " + detail::describe_message(message->content());
    detail::log_exception(loop_scheduler::of(home_system()).logger(), detail::name_for_log(*this),
                          place);
  } catch (...) {
    // Nothing is left that could be told to anybody.
  }
}

void basic_actor::initialize() {
  try {
    detail::in_callback("make_behavior", [this] { super::initialize(); });
  } catch (...) {
    complete_handlers();
    throw;
  }
  if (!alive()) // it ends inside CAF's activation, with whatever `on_exit` throws
    complete_handlers();
}

void basic_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit* host) {
  constexpr int rare = is_cleaned_up_flag | detail::is_bounded_flag | is_detached_flag;
  if (getf(rare) || detail::traces() || what->mid.is_request()) [[unlikely]] {
    if (getf(is_cleaned_up_flag))
      detail::note_dead_letter(*this, *what, dead_letter_reason::actor_ended);
    return detail::deliver(*this, std::move(what), host);
  }
  if (mailbox().push_back(what.release()) == caf::intrusive::inbox_result::unblocked_reader)
    detail::wake(*this, host);
}

// The usual case at once; in all others, CAF's way from its beginning.
caf::invoke_message_result basic_actor::consume(caf::mailbox_element& x) {
  if (!x.mid.is_response() && awaited_responses_.empty() && !bhvr_stack_.empty()
      && !getf(has_timeout_flag)) [[likely]] {
    auto& content = x.content();
    const auto token = content.type_token();
    if (!may_be_internal(token)
        || (token == caf::make_type_token<actor_call>() && !detail::is_internal(content)))
      [[likely]] {
      current_mailbox_element(&x);
      union unowned { // nothing: its destructor, a call of libcaf, would do nothing else
        unowned(caf::scheduled_actor& self, caf::mailbox_element& what) : sender(self, what) {}
        ~unowned() {}
        detail::answering sender;
      } to{*this, x};
      const auto result = bhvr_stack_.back()(to.sender, content);
      if (result == caf::match_case::match) [[likely]]
        return caf::invoke_message_result::consumed;
      if (result == caf::match_case::skip)
        return caf::invoke_message_result::skipped;
    }
  }
  return consume_other(x);
}

caf::invoke_message_result basic_actor::consume_other(caf::mailbox_element& x) {
  if (x.mid.is_response()) {
    if (awaited_) {
      const auto found = awaited_->takers.find(x.mid.request_id().integer_value());
      if (found != awaited_->takers.end()) {
        if (found->second.loop == nullptr)
          clock().cancel_request_timeout(this, x.mid);
        found->second.cancel_timeout();
        const auto taker = std::move(found->second.taker);
        awaited_->takers.erase(found);
        current_mailbox_element(&x);
        taker->take_response(x.content());
        if (awaited_ && awaited_->takers.empty()) {
          keep_alive(false);
          if (awaited_->takers.bucket_count() > 1024)
            awaited_->takers = {};
          detail::awaited::give_back(awaited_);
        }
        return caf::invoke_message_result::consumed;
      }
    }
    clock().cancel_request_timeout(this, x.mid);
  }
  if (auto& content = x.content(); detail::is_internal(content)) {
    current_mailbox_element(&x);
    (*content.get_as<actor_call>(0).fn)();
    return caf::invoke_message_result::consumed;
  }
  if (!x.mid.is_response() || getf(detail::quits_flag))
    complete_handlers();
  return super::consume(x);
}

void basic_actor::send_request(const caf::strong_actor_ptr& receiver, duration timeout,
                               caf::message content,
                               std::shared_ptr<detail::response_taker> taker) {
  const auto id = begin_request(timeout, std::move(taker));
  if (id.is_request())
    receiver->enqueue(
      caf::make_mailbox_element(caf::strong_actor_ptr{ctrl()}, id, {}, std::move(content)),
      context());
}

caf::message_id basic_actor::begin_request(duration timeout,
                                           std::shared_ptr<detail::response_taker> taker) {
  if (has_ended())
    return caf::make_message_id();
  expect_own_thread();
  const auto id = new_request_id(caf::message_priority::normal);
  auto& waits = await_response(id, std::move(taker));
  if (timeout != duration::max()) {
    auto* const here = event_loop::current();
    if (here != nullptr && &here->scheduler().system() == &home_system()) {
      waits.timeout = here->timers().add(
        saturating_add(here->time(), timeout),
        [self = caf::strong_actor_ptr{ctrl()}, response = id.response_id()] {
          self->get()->eq_impl(response, self, nullptr, caf::make_error(caf::sec::request_timeout));
        });
      waits.loop = here;
    } else {
      clock().set_request_timeout(saturating_add(clock().now(), timeout), this, id.response_id());
    }
  }
  return id;
}

caf::message_id basic_actor::expect_response(std::shared_ptr<detail::response_taker> taker) {
  expect_own_thread();
  const auto id = new_request_id(caf::message_priority::normal);
  if (!has_ended())
    await_response(id, std::move(taker));
  return id;
}

// Who makes an actor has it for himself, and a detached one has a thread of its own.
void basic_actor::expect_own_thread() {
  if (getf(is_initialized_flag) && !getf(is_detached_flag))
    loop_scheduler::of(home_system())
      .expect_any_loop("ask, or defer_to_thread", "ask as an actor of a loop, or use run_as");
}

detail::awaited_response&
basic_actor::await_response(caf::message_id id, std::shared_ptr<detail::response_taker> taker) {
  if (!awaited_)
    awaited_ = detail::awaited::take();
  const auto entered = awaited_->takers.emplace(id.request_id().integer_value(),
                                                detail::awaited_response{std::move(taker)});
  keep_alive(true);
  return entered.first->second;
}

void basic_actor::owe(const std::shared_ptr<detail::debt>& what) {
  if (has_ended())
    return what->debtor_ended();
  if (!awaited_)
    awaited_ = detail::awaited::take();
  auto& debts = awaited_->debts;
  if (debts.size() == debts.capacity())
    std::erase_if(debts, [](const auto& weak) { return weak.expired(); });
  debts.push_back(what);
}

detail::coroutine_base** basic_actor::waiting_coroutines() {
  if (has_ended())
    return nullptr;
  if (!awaited_)
    awaited_ = detail::awaited::take();
  return &awaited_->coroutines;
}

bool basic_actor::has_ended() const noexcept {
  return getf(is_shutting_down_flag | is_cleaned_up_flag);
}

// CAF takes an actor without behavior for ended unless it waits for a response; of ours it does
// not know.
void basic_actor::keep_alive(bool on) {
  auto& id = awaited_->keep_alive;
  if (on && !has_behavior() && !id.is_response()) {
    id = new_request_id(caf::message_priority::normal).response_id();
    add_multiplexed_response_handler(id, caf::behavior{[](caf::unit_t) {
                                     }});
  } else if (!on && id.is_response()) {
    multiplexed_responses_.erase(id);
    id = {};
  }
}

void basic_actor::run_as(const caf::strong_actor_ptr& actor, task fn) {
  actor->enqueue(nullptr, caf::make_message_id(),
                 caf::make_message(actor_call{std::make_shared<task>(std::move(fn))}), nullptr);
}

void basic_actor::run_urgently(const caf::strong_actor_ptr& actor, task fn,
                               caf::execution_unit* unit) {
  actor->enqueue(nullptr, caf::make_message_id(caf::message_priority::high),
                 caf::make_message(actor_call{std::make_shared<task>(std::move(fn))}), unit);
}

// Who runs is told at once; that there is room again, in a turn of its own.
void basic_actor::begin_hold() {
  setf(detail::is_held_flag);
  hold_back(true);
}

void basic_actor::end_hold() {
  if (!getf(detail::is_held_flag) || detail::waits_for_room(*this)) // again
    return;
  unsetf(detail::is_held_flag);
  get_normal_queue().flush_cache();
  hold_back(false);
}

// If the message that is being handled is skipped itself, the pass over the mailbox sees to it, and behind one that
// is handled it tries all again anyway. Elsewhere it is woken by an urgent message, before all others.
void retry_skipped(basic_actor& self) {
  auto* const loop = event_loop::current();
  if (loop == nullptr || self.current_mailbox_element() != &loop->no_message())
    self.setf(detail::retries_flag);
  if (self.get_urgent_queue().cache().empty() && self.get_normal_queue().cache().empty())
    return;
  const auto take_back = [&self] {
    self.unsetf(detail::retries_flag);
    self.get_urgent_queue().flush_cache();
    self.get_normal_queue().flush_cache();
  };
  basic_actor::run_urgently(caf::strong_actor_ptr{self.ctrl()}, take_back, self.context());
}

thread_pool& basic_actor::pool() const {
  return loop_scheduler::of(home_system()).pool();
}

} // namespace troupe
