// How a supervisor starts, stops and heals its children.

#include <algorithm>
#include <cmath>

#include <caf/exit_reason.hpp>
#include <caf/system_messages.hpp>
#include <spdlog/logger.h>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/supervisor.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/metrics.hpp>
#include <troupe/runtime/names.hpp>

namespace troupe {

using kind = supervisor_event_kind;

namespace {

bool is_crash(const caf::error& reason) {
  return reason && reason != caf::exit_reason::normal && reason != caf::exit_reason::user_shutdown;
}

} // namespace

// -- starting -----------------------------------------------------------------------------------

// The child is made to answer as if it had been asked; it runs its `make_behavior` before.
deferred<caf::actor> detail::when_begun(supervisor& parent, caf::actor child) {
  const auto to = caf::actor_cast<caf::strong_actor_ptr>(child);
  auto asked = make_question<void>(wait_for_ever);
  auto begun = asked->start();
  asked->watch(parent, to);
  const auto id = parent.expect_response(std::move(asked));
  basic_actor::run_as(to, [me = caf::strong_actor_ptr{parent.ctrl()}, id] {
    me->enqueue(nullptr, id.response_id(), caf::make_message(), nullptr);
  });
  return std::move(begun).add_callbacks([child] { return child; },
                                        [child](const failure& why) -> outcome<caf::actor> {
                                          supervisor::send_kill(child); // the start was cancelled
                                          return why;
                                        });
}

void supervisor::begin(std::vector<key> which, after_start then) {
  to_begin_.assign(which.begin(), which.end());
  begun_ = std::move(then);
  begin_next();
}

void supervisor::begin_next() {
  while (!to_begin_.empty()) {
    auto& c = *find(to_begin_.front());
    to_begin_.pop_front();
    c.state = child_state::starting;
    c.ended = false;
    beginning_ = c.serial;
    auto got = maybe_deferred([&] { return c.spec.start(*this); });
    if (got.ready()) {
      if (!take(c, std::move(got).take()))
        return;
      continue;
    }
    const auto attempt = ++attempt_;
    starting_.emplace(std::move(got).add_both(
      [weak = caf::weak_actor_ptr{ctrl()}, attempt](outcome<caf::actor> late) {
        bool taken = false;
        if (const auto alive = caf::actor_cast<caf::strong_actor_ptr>(weak)) {
          auto& self = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(alive));
          self.enter([&] {
            if ((taken = self.attempt_ == attempt && self.starting_))
              self.take_late(std::move(late));
          });
        }
        if (!taken && late)
          send_kill(*late);
      }));
    return;
  }
  const auto then = std::make_shared<after_start>(std::exchange(begun_, {}));
  (*then)(nullptr, {});
}

void supervisor::take_late(outcome<caf::actor> got) {
  starting_.reset(); // a deferred that is being fired keeps itself
  if (take(*find(beginning_), std::move(got)))
    begin_next();
}

bool supervisor::take(child& c, outcome<caf::actor> got) {
  if (got && *got && by_actor_.contains(got->address()))
    got = failure{errc::child_exists, "the actor is a child already"};
  if (got && *got && !c.spec.name.empty() && !names{system()}.put(c.spec.name, *got)) {
    // One that has ended is started, and its end is told.
    if (const auto other = names{system()}.whereis(c.spec.name); other && other != *got) {
      send_kill(*got);
      got = failure{errc::name_taken, c.spec.name};
    }
  }
  if (!got) {
    c.state = child_state::stopped;
    tell(kind::child_start_failed, &c, got.error());
    to_begin_.clear();
    const auto then = std::make_shared<after_start>(std::exchange(begun_, {}));
    (*then)(&c, got.error());
    return false;
  }
  if (!*got) {
    c.state = child_state::stopped;
    tell(kind::child_ignored, &c);
    retire(c);
    return true;
  }
  c.handle = *std::move(got);
  c.state = child_state::running;
  c.since = loop().time();
  by_actor_.emplace(c.handle.address(), c.serial);
  if (!c.spec.id.empty())
    loop().scheduler().set_role(c.handle.id(), "child " + c.spec.id + " of " + options_.name);
  tell(kind::child_started, &c);
  monitor(c.handle);
  return true;
}

// -- stopping -----------------------------------------------------------------------------------

void supervisor::end(std::vector<key> which, bool at_once, task then) {
  to_end_ = std::move(which);
  end_at_once_ = at_once;
  ended_ = std::move(then);
  end_next();
}

void supervisor::end_next() {
  while (!to_end_.empty() && (end_at_once_ || ending_now_ == 0)) {
    auto* const c = find(to_end_.back());
    to_end_.pop_back();
    if (c != nullptr && c->handle)
      tell_to_end(*c);
  }
  if (ending_now_ > 0 || !to_end_.empty())
    return;
  const auto then = std::make_shared<task>(std::exchange(ended_, {}));
  (*then)();
}

void supervisor::tell_to_end(child& c) {
  c.state = child_state::stopping;
  ++ending_now_;
  const auto time = hurry_ ? child_spec::brutal_kill : c.spec.shutdown_time();
  if (time <= child_spec::brutal_kill) {
    send_kill(c.handle);
    c.timer = call_later(std::max(duration::zero(), options_.unresponsive_after),
                         [this, n = c.serial] { abandon(n); });
    return;
  }
  send_exit(c.handle, caf::exit_reason::user_shutdown);
  if (time != child_spec::infinity)
    c.timer = call_later(time, [this, n = c.serial] { kill(*find(n)); });
}

void supervisor::kill(child& c) {
  forget_timer(c);
  tell(kind::child_killed, &c);
  send_kill(c.handle);
  c.timer = call_later(std::max(duration::zero(), options_.unresponsive_after),
                       [this, n = c.serial] { abandon(n); });
}

void supervisor::abandon(key serial) {
  auto& c = *find(serial);
  demonitor(c.handle);
  by_actor_.erase(c.handle.address());
  const auto left_behind = std::exchange(c.handle, {});
  const names all{system()};
  if (!c.spec.name.empty() && all.whereis(c.spec.name) == left_behind)
    all.remove(c.spec.name); // for its successor
  c.state = child_state::stopped;
  loop().scheduler().set_role(left_behind.id(), {});
  tell(kind::child_abandoned, &c, {}, {}, left_behind.id());
  --ending_now_;
  end_next();
}

// With high priority: it overtakes what waits in the mailbox.
void supervisor::send_kill(const caf::actor& whom) {
  if (!whom)
    return;
  caf::actor_cast<caf::abstract_actor*>(whom)->enqueue(
    nullptr, caf::make_message_id(caf::message_priority::high),
    caf::make_message(caf::exit_msg{caf::actor_addr{}, caf::exit_reason::kill}), nullptr);
}

// -- healing ------------------------------------------------------------------------------------

void supervisor::down(caf::down_msg& message) {
  const auto found = by_actor_.find(message.source);
  if (found == by_actor_.end())
    return; // abandoned, or somebody else's
  auto& c = *find(found->second);
  by_actor_.erase(found);
  const auto actor = std::exchange(c.handle, {}).id();
  loop().scheduler().set_role(actor, {});
  forget_timer(c);
  if (loop().time() - c.since >= options_.period)
    c.crashes = 0;
  c.reason = std::move(message.reason);
  const failure why{c.reason};
  if (c.state == child_state::stopping) {
    c.state = child_state::stopped;
    tell(kind::child_stopped, &c, why, {}, actor);
    --ending_now_;
    return end_next();
  }
  c.state = child_state::stopped;
  c.ended = true;
  tell(kind::child_ended, &c, why, {}, actor);
  perform([this, serial = c.serial] { deal_with_end(serial); });
}

void supervisor::deal_with_end(key serial) {
  auto* const c = find(serial);
  if (c == nullptr || !std::exchange(c->ended, false) || ending())
    return next(); // dealt with, together with others, or by whoever asked
  const bool wanted = c->spec.restart == restart_type::permanent
                      || (c->spec.restart == restart_type::transient && is_crash(c->reason));
  if (wanted)
    return heal(*c, false);
  retire(*c);
  next();
}

// Starts `c` again, and with it its group. `again`: it could not be started just now.
void supervisor::heal(child& c, bool again) {
  if (!may_restart()) {
    tell(kind::intensity_reached, &c);
    return finish(make_error(errc::restart_intensity_reached, options_.name));
  }
  auto delay = delay_of(c);
  if (group_timer_.active()) // for one of the group that may have to wait longer
    delay = std::max(delay, group_timer_.get_time() - loop().time());
  tell(kind::child_restarting, &c, {}, delay);
  metrics::labels labels{{"supervisor", options_.name}};
  if (!dynamic()) // whose children's ids are as many as come
    labels.emplace_back("child", c.spec.id);
  loop()
    .scheduler()
    .metrics()
    .add_counter("troupe_supervisor_restarts_total", "Restarts by a supervisor, by crashed child.",
                 labels)
    .add();
  const bool at_once = delay == duration::zero() && !again;
  if (dynamic() || options_.strategy == restart_strategy::one_for_one) {
    c.state = child_state::restarting;
    if (at_once)
      return restart_waiting(c.serial);
    c.timer =
      call_later(delay, [this, n = c.serial] { perform([this, n] { restart_waiting(n); }); });
    return next();
  }
  std::vector<key> group;
  const auto first = options_.strategy == restart_strategy::one_for_all ? 0 : c.serial;
  for (auto i = children_.lower_bound(first); i != children_.end(); ++i)
    group.push_back(i->first);
  end(group, false, [this, group, delay, at_once] {
    for (const auto serial : group) {
      auto* const one = find(serial);
      one->ended = false;
      one->state = child_state::restarting;
      if (one->spec.restart == restart_type::temporary)
        remove(*one);
    }
    if (group_timer_.active())
      group_timer_.cancel();
    if (at_once)
      return restart_waiting(std::nullopt);
    group_timer_ =
      call_later(delay, [this] { perform([this] { restart_waiting(std::nullopt); }); });
    next();
  });
}

// Starts the children that wait for it, unless they were terminated meanwhile.
void supervisor::restart_waiting(std::optional<key> only) {
  std::vector<key> which;
  const auto want = [&](const child& c) {
    if (c.state == child_state::restarting)
      which.push_back(c.serial);
  };
  if (ending() || (!only && group_timer_.active())) // a later crash made the group wait anew
    return next();
  if (only) {
    if (const auto* const c = find(*only))
      want(*c);
  } else {
    for (const auto& [serial, c] : children_)
      want(c);
  }
  begin(std::move(which), [this](child* failed, const failure& why) {
    if (failed != nullptr && !ending()) {
      failed->state = child_state::restarting;
      failed->reason = why.to_caf_error();
      perform([this, n = failed->serial] {
        auto* const c = find(n);
        if (c == nullptr || c->state != child_state::restarting || ending())
          return next();
        heal(*c, true);
      });
    }
    next();
  });
}

bool supervisor::group_waits() const {
  return !dynamic() && options_.strategy != restart_strategy::one_for_one
         && std::any_of(children_.begin(), children_.end(), [](const auto& entry) {
              return entry.second.state == child_state::restarting;
            });
}

bool supervisor::may_restart() {
  const auto now = loop().time();
  while (!restarts_.empty() && now - restarts_.front() > options_.period)
    restarts_.pop_front();
  restarts_.push_back(now);
  return restarts_.size() <= options_.intensity;
}

duration supervisor::delay_of(child& c) {
  const auto& back = options_.backoff;
  const auto grown =
    saturating_multiply(back.initial, std::pow(back.factor, static_cast<double>(c.crashes++)));
  return std::max(duration::zero(), std::min(grown, back.max));
}

// -- telling ------------------------------------------------------------------------------------

void supervisor::tell(supervisor_event_kind what, const child* c, const failure& reason,
                      duration delay, caf::actor_id actor) {
  if (actor == 0 && c != nullptr && c->handle)
    actor = c->handle.id();
  const supervisor_event event{
    what,  options_.name,   c != nullptr ? c->spec.id : std::string{}, actor, reason,
    delay, restarts_.size()};
  log(event);
  if (!options_.observer)
    return;
  try {
    options_.observer(event);
  } catch (...) {
    loop().scheduler().logger().error("supervisor {}: its observer failed: {}", options_.name,
                                      failure::current().message());
  }
}

void supervisor::log(const supervisor_event& event) {
  auto level = spdlog::level::info;
  switch (event.kind) {
  case kind::child_started:
  case kind::child_stopped:
  case kind::child_removed:
  case kind::child_ended:
    if (is_crash(event.reason.to_caf_error()) && event.kind == kind::child_ended)
      level = spdlog::level::warn;
    else if (dynamic()) // they come and go
      level = spdlog::level::debug;
    break;
  case kind::child_start_failed:
  case kind::child_killed:
    level = spdlog::level::warn;
    break;
  case kind::child_abandoned:
  case kind::intensity_reached:
    level = spdlog::level::err;
    break;
  default:
    break;
  }
  auto& logger = loop().scheduler().logger();
  if (logger.should_log(level))
    logger.log(level, "{}", to_string(event));
}

} // namespace troupe
