#include <troupe/leases/leases.hpp>

#include <utility>

#include <troupe/runtime/threads.hpp>

#include "lease_core.hpp"

namespace troupe {

namespace {

/// What an actor waits for a lease with. If the actor ends, or cancels, the attempt ends.
class lease_answer final : public detail::response_taker {
public:
  explicit lease_answer(std::shared_ptr<detail::lease_state> state)
    : state_(std::move(state)), promise_([s = std::weak_ptr{state_}] {
        if (const auto asked = s.lock())
          asked->release();
      }) {}
  ~lease_answer() override {
    if (!taken_)
      state_->release();
    promise_.abandon();
  }

  deferred<lease> start() { return promise_.get_deferred(); }
  void take_response(caf::type_erased_tuple& content) override {
    auto& got =
      *static_cast<outcome<lease>*>(content.get_mutable_as<detail::boxed_outcome>(0).value.get());
    taken_ = true;
    if (!promise_.called())
      promise_.fire(std::move(got)); // else it is given back with the message
  }

private:
  const std::shared_ptr<detail::lease_state> state_;
  promise<lease> promise_;
  bool taken_ = false;
};

void answer_lease(const caf::strong_actor_ptr& to, caf::message_id id, outcome<lease> got) {
  to->enqueue(
    nullptr, id.response_id(),
    caf::make_message(detail::boxed_outcome{std::make_shared<outcome<lease>>(std::move(got))}),
    nullptr);
}

} // namespace

// -- views and leases -------------------------------------------------------------------------------

const std::string& lease_view::name() const noexcept {
  static const std::string none;
  return state_ ? state_->name : none;
}

std::uint64_t lease_view::token() const noexcept {
  return state_ ? state_->token.load() : 0;
}

time_point lease_view::held_until() const noexcept {
  if (!state_ || state_->released)
    return {};
  return time_point{duration{state_->until.load()}};
}

bool lease_view::held() const noexcept {
  const auto until = held_until();
  if (until == time_point{})
    return false;
  const auto core = state_->core.lock();
  return core && core->runs() && core->time() < until;
}

void lease::release() noexcept {
  if (const auto state = std::exchange(state_, nullptr))
    state->release();
}

void lease::abandon() noexcept {
  if (const auto state = std::exchange(state_, nullptr))
    state->abandon();
}

// -- leases -----------------------------------------------------------------------------------------

leases::leases(runtime& rt, lease_store_ref store, leases_options options)
  : core_(std::make_shared<detail::lease_core>(rt, std::move(store), std::move(options))) {
  core_->start();
}

leases::~leases() {
  core_->end();
}

deferred<lease> leases::acquire(basic_actor& self, std::string_view name, acquire_options options) {
  auto state = std::make_shared<detail::lease_state>();
  state->name = name;
  state->core = core_;
  if (options.wait != duration::max())
    state->deadline = saturating_add(core_->time(), options.wait);
  if (options.lost)
    state->lost = [actor = caf::weak_actor_ptr{self.ctrl()}, state = std::weak_ptr{state},
                   fn = std::move(options.lost)](const failure& why) {
      if (const auto to = caf::actor_cast<caf::strong_actor_ptr>(actor))
        basic_actor::run_as(to, [state, fn, why] {
          if (const auto still = state.lock(); still && !still->released)
            fn(why);
        });
    };
  auto taker = std::make_shared<lease_answer>(state);
  auto waits = taker->start();
  const auto id = self.expect_response(std::move(taker));
  state->answer = [state = std::weak_ptr{state}, to = caf::strong_actor_ptr{self.ctrl()},
                   id](failure why) {
    const auto got = state.lock();
    if (!got)
      return;
    if (why)
      answer_lease(to, id, std::move(why));
    else
      answer_lease(to, id, lease{got});
  };
  core_->on_loop_0([state](detail::lease_core& core) { core.acquire(state); });
  return waits;
}

deferred<void> leases::give_back() {
  return core_->give_back();
}

leases_counters leases::counters() const noexcept {
  return core_->counters();
}

const leases_options& leases::options() const noexcept {
  return core_->options();
}

const std::string& leases::holder() const noexcept {
  return core_->holder();
}

} // namespace troupe
