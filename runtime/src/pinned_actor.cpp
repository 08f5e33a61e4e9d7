#include <troupe/runtime/pinned_actor.hpp>

#include <algorithm>
#include <typeinfo>

#include <caf/detail/invoke_result_visitor.hpp>

#include <troupe/runtime/detail/class_name.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "log.hpp"
#include "mailbox.hpp"

namespace troupe {

namespace {

// Takes what a handler returns where nobody asked.
struct no_response final : caf::detail::invoke_result_visitor {
  void operator()() override {}
  void operator()(caf::error&) override {}
  void operator()(caf::message&) override {}
  void operator()(const caf::none_t&) override {}
};

event_loop& home_of(caf::actor_config& cfg, caf::actor_system& sys) {
  if (auto* loop = dynamic_cast<event_loop*>(cfg.host))
    return *loop;
  if (auto* current = event_loop::current())
    return *current;
  return loop_scheduler::of(sys).next_loop();
}

} // namespace

pinned_actor::pinned_actor(caf::actor_config& cfg)
  : super(cfg), loop_(home_of(cfg, home_system())) {
  loop_.load_.fetch_add(1, std::memory_order_relaxed);
}

pinned_actor::~pinned_actor() {
  unload();
}

void pinned_actor::unload() noexcept {
  if (std::exchange(loads_, false))
    loop_.load_.fetch_sub(1, std::memory_order_relaxed);
}

// `this` is good while a call is pending: on_exit cancels it.
delayed_call pinned_actor::schedule(duration delay, task run) {
  loop_.expect_here("call_later", "send this actor a message, or use run_as");
  if (delay < duration::zero())
    throw std::logic_error("call_later: the delay is negative");
  if (!calls_)
    calls_ = std::make_unique<std::vector<delayed_call>>();
  else if (calls_->size() == calls_->capacity())
    prune_calls();
  auto call = loop_.timers().add(saturating_add(loop_.time(), delay), std::move(run));
  if (over_)
    call.cancel();
  else
    calls_->push_back(call);
  return call;
}

void pinned_actor::run_delayed(void (*fn)(void*), void* arg) {
  enter([=] { detail::in_callback("a delayed call", [=] { fn(arg); }); });
}

delayed_call pinned_actor::call_later(duration delay, task fn) {
  if (!fn)
    throw std::logic_error("call_later: the function is empty");
  return schedule(delay, [this, f = std::move(fn)]() mutable {
    run_delayed([](void* arg) { (*static_cast<task*>(arg))(); }, &f);
  });
}

std::vector<delayed_call> pinned_actor::get_delayed_calls() const {
  loop_.expect_here("get_delayed_calls", "send this actor a message, or use run_as");
  auto calls = calls_ ? *calls_ : std::vector<delayed_call>{};
  std::erase_if(calls, [](const delayed_call& call) { return !call.active(); });
  return calls;
}

void pinned_actor::prune_calls() {
  std::erase_if(*calls_, [](const delayed_call& call) { return !call.active(); });
}

// -- CAF's side ---------------------------------------------------------------------------------

// A handle may outlive the loop, if the actor has ended.
void pinned_actor::enqueue(caf::mailbox_element_ptr what, caf::execution_unit*) {
  if (getf(is_cleaned_up_flag)) [[unlikely]]
    return super::enqueue(std::move(what), nullptr); // which tells of it
  loop_.count_message();
  detail::deliver(*this, std::move(what), &loop_.lane());
}

void pinned_actor::launch(caf::execution_unit*, bool lazy, bool hide) {
  setf(detail::is_pinned_flag);
  if (!lazy) // one that waits for its first message may never begin
    count();
  super::launch(&loop_.lane(), lazy, hide);
}

// Whoever ends the runtime waits for it from here on.
void pinned_actor::count() noexcept {
  if (!std::exchange(counted_, true))
    loop_.scheduler().pinned_.fetch_add(1, std::memory_order_relaxed);
}

void pinned_actor::initialize() {
  if (loop_.over_ || getf(is_shutting_down_flag)) { // it ends before it has begun
    setf(is_initialized_flag);
    if (std::exchange(counted_, false)) // before it ends: what that starts is not waited for
      loop_.scheduler().pinned_ended();
    if (!getf(is_shutting_down_flag))
      super::quit(caf::exit_reason::user_shutdown);
    return;
  }
  listed_ = true;
  intrusive_ptr_add_ref(ctrl());
  next_ = loop_.first_pinned_;
  if (next_ != nullptr)
    next_->previous_ = this;
  loop_.first_pinned_ = this;
  count();
  const auto was = std::exchange(entered_, true);
  super::initialize();
  entered_ = was;
  if (loop_.stopping_) // the others have been asked; not in place, where it still begins
    loop_.post([this, alive = caf::strong_actor_ptr{ctrl()}] { ask_to_stop(); });
}

// While a handler runs, `enter` must not finalize: that could destroy the handler.
caf::invoke_message_result pinned_actor::consume(caf::mailbox_element& x) {
  struct guard {
    pinned_actor& self;
    const bool entered = std::exchange(self.entered_, true);
    pinned_actor* const running = std::exchange(self.loop_.running_, &self);
    ~guard() {
      self.entered_ = entered;
      self.loop_.running_ = running;
    }
  };
  const guard restore{*this};
  return super::consume(x);
}

void pinned_actor::on_exit() {
  entered_ = true; // for good: whatever still calls `enter` is called from here
  over_ = true;
  if (auto calls = std::move(calls_))
    for (auto& call : *calls)
      if (call.active())
        call.cancel();
  super::on_exit();
  unload();
  const bool was_listed = std::exchange(listed_, false);
  if (was_listed) {
    (previous_ != nullptr ? previous_->next_ : loop_.first_pinned_) = next_;
    if (next_ != nullptr)
      next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }
  if (std::exchange(counted_, false))
    loop_.scheduler().pinned_ended();
  if (was_listed)
    intrusive_ptr_release(ctrl()); // not the last: whoever runs this actor holds one
}

void pinned_actor::each(pinned_actor* first, const std::function<void(pinned_actor&)>& fn) {
  std::vector<caf::strong_actor_ptr> all; // what `fn` ends leaves the list
  for (auto* a = first; a != nullptr; a = a->next_)
    all.emplace_back(a->ctrl());
  for (const auto& a : all)
    fn(*static_cast<pinned_actor*>(caf::actor_cast<caf::abstract_actor*>(a)));
}

// -- entering -----------------------------------------------------------------------------------

bool pinned_actor::begin_enter(const char* callback) {
  if (loop_.waits_)
    loop_.begin_work();
  loop_.watch_.note(typeid(*this), callback);
  if (getf(is_cleaned_up_flag))
    return false;
  if (getf(is_initialized_flag) && alive())
    [[likely]] { // what `activate` looks at, without the call
    context(&loop_);
  } else if (!activate(&loop_)) {
    if (!getf(is_cleaned_up_flag)) { // it quit, by CAF's means, where it had not been entered
      entered_ = true;               // for good: what its end calls enters it as it is
      finalize();
    }
    return false;
  }
  entered_ = true;
  loop_.acting_ = this;
  current_mailbox_element(&loop_.no_message());
  return true;
}

void pinned_actor::end_enter(caf::mailbox_element* before, caf::scheduled_actor* acting) {
  current_mailbox_element(before);
  bhvr_stack().cleanup();
  entered_ = !alive(); // what the end of one that has quit calls enters it as it is
  if (entered_) [[unlikely]]
    finalize();
  loop_.acting_ = acting;
}

bool pinned_actor::handle_now(caf::mailbox_element& message) {
  // What is held back lies behind a mailbox that is blocked.
  if (entered_ || held_back() || !mailbox().blocked())
    return false;
  bool handled = true; // also if the handler throws: nobody is left to have it again
  enter([&] {
    handled = give(message) || !alive();
    if (handled)
      unsetf(detail::retries_flag); // nothing is skipped here
    if (!bhvr_stack_.empty() && bhvr_stack_.back().timeout().valid())
      set_receive_timeout(); // it counts from the last message
  });
  return handled;
}

// What CAF does with a message, less what one without a sender has no use for: half of the time goes
// into a promise that nobody waits for.
bool pinned_actor::give(caf::mailbox_element& message) {
  struct restore {
    event_loop& loop;
    pinned_actor* const running;
    ~restore() { loop.running_ = running; }
  } const guard{loop_, std::exchange(loop_.running_, this)};
  if (!bhvr_stack_.empty() && awaited_responses_.empty()) {
    current_mailbox_element(&message);
    no_response ignore;
    switch (bhvr_stack_.back()(ignore, message.content())) {
    case caf::match_case::match:
      return true;
    case caf::match_case::skip:
      return false;
    default:
      break;
    }
  }
  return super::consume(message) != caf::invoke_message_result::skipped;
}

void pinned_actor::run_inside(void (*fn)(void*), void* arg) {
  enter([=] { fn(arg); });
}

void pinned_actor::fail_with_current_exception() {
  log_current_exception();
  quit(failure{std::current_exception()}.to_caf_error());
}

void pinned_actor::stop_requested() {
  quit(caf::exit_reason::user_shutdown);
}

void pinned_actor::ask_to_stop() {
  enter([this] { stop_requested(); });
}

void pinned_actor::end_now() {
  enter([this] { super::quit(caf::exit_reason::user_shutdown); });
  if (!listed_ || getf(is_cleaned_up_flag))
    return;
  entered_ = true;
  on_exit(); // CAF thinks that it has something to wait for
  cleanup(caf::exit_reason::user_shutdown, &loop_);
}

// A loop that does not turn belongs to the one thread that may use it: a test's, or that of a runtime
// which does not run. Not in the turn of another loop, though: its actor would end in the midst of that.
void pinned_actor::quit(caf::error reason) {
  auto* const here = event_loop::current();
  if (here != &loop_ && (here != nullptr || !loop_.is_here())) {
    loop_.post([this, alive = caf::strong_actor_ptr{ctrl()}, reason = std::move(reason)]() mutable {
      if (!getf(is_cleaned_up_flag))
        quit(std::move(reason));
    });
    return;
  }
  if (entered_ || !getf(is_initialized_flag))
    return super::quit(std::move(reason));
  enter([&] { super::quit(std::move(reason)); });
}

actor_description pinned_actor::describe() const {
  return {"actor", detail::class_name(typeid(*this))};
}

} // namespace troupe
