#include <troupe/actors/supervisor.hpp>

#include <stdexcept>

#include <caf/behavior.hpp>
#include <spdlog/logger.h>

#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

supervisor_options checked(supervisor_options options) {
  const auto refuse_negative = [](const char* name, duration value) {
    if (value < duration::zero())
      throw std::invalid_argument(std::string{"supervisor_options: "} + name + " is negative");
  };
  refuse_negative("period", options.period);
  refuse_negative("backoff.initial", options.backoff.initial);
  refuse_negative("backoff.max", options.backoff.max);
  refuse_negative("unresponsive_after", options.unresponsive_after);
  return options;
}

} // namespace

supervisor::supervisor(caf::actor_config& cfg, supervisor_options options,
                       std::vector<child_spec> children)
  : super(cfg), options_(checked(std::move(options))), first_(std::move(children)) {
  set_down_handler([this](caf::down_msg& message) { down(message); });
  set_exit_handler([this](caf::exit_msg& message) {
    if (message.reason && message.reason != caf::exit_reason::normal)
      begin_end(message.reason);
  });
}

supervisor::~supervisor() = default;

child_spec supervisor::as_child(supervisor_options options, std::vector<child_spec> children,
                                restart_type restart) {
  auto id = options.name;
  const auto first = std::make_shared<const std::vector<child_spec>>(std::move(children));
  auto start = [options = std::move(options), first](supervisor& parent) -> deferred<caf::actor> {
    caf::actor_config cfg{&parent.loop()};
    const auto made = caf::actor_cast<caf::actor>(
      parent.system().spawn_impl<supervisor, caf::hidden>(cfg, options, *first));
    auto& inner = *static_cast<supervisor*>(caf::actor_cast<caf::abstract_actor*>(made));
    // A parent that ends meanwhile would not wait for an orderly end.
    const auto started = std::make_shared<promise<caf::actor>>([made] { send_kill(made); });
    auto result = started->get_deferred();
    inner.enter([] {}); // starts its children
    inner.when_started().add_both([made, started](outcome<void> how) {
      if (started->called())
        return;
      if (how)
        started->callback(made);
      else
        started->errback(how.error());
    });
    return result;
  };
  return {.id = std::move(id),
          .start = std::move(start),
          .restart = restart,
          .type = child_type::supervisor,
          .stopped = [first] {
            for (const auto& spec : *first)
              if (spec.stopped) // it may have been killed
                spec.stopped();
          }};
}

caf::behavior supervisor::make_behavior() {
  perform([this] { start_first(); });
  return handlers(
    *this, [this](which_children_atom) { return which_children(); },
    [this](count_children_atom) { return count_children(); },
    [this](start_child_atom, child_spec spec) { return start_child(std::move(spec)); },
    [this](terminate_child_atom, std::string id) { return terminate_child(id); },
    [this](terminate_child_atom, caf::actor child) { return terminate_child(child); },
    [this](restart_child_atom, std::string id) { return restart_child(id); },
    [this](delete_child_atom, std::string id) { return delete_child(id); });
}

// -- one thing after the other ------------------------------------------------------------------

void supervisor::perform(operation op) {
  if (gone_) {
    if (op.refuse)
      op.refuse(errc::actor_down);
    return;
  }
  waiting_.push_back(std::move(op));
  drain();
}

void supervisor::next() {
  busy_ = false;
  if (!put_off_.empty() && !group_waits())
    for (; !put_off_.empty(); put_off_.pop_back())
      waiting_.push_front(std::move(*put_off_.back()));
  drain();
}

void supervisor::put_off() {
  put_off_.push_back(present_);
  next();
}

// A loop, not a recursion: many children may have ended at once.
void supervisor::drain() {
  if (std::exchange(draining_, true))
    return;
  while (!busy_ && !waiting_.empty()) {
    busy_ = true;
    const auto op = std::make_shared<operation>(std::move(waiting_.front()));
    waiting_.pop_front();
    present_ = op;
    op->run();
  }
  draining_ = false;
}

// -- the whole ----------------------------------------------------------------------------------

void supervisor::start_first() {
  std::vector<key> all;
  for (auto& spec : std::exchange(first_, {})) {
    try {
      check(spec);
    } catch (...) {
      first_start_over(failure::current());
      return finish(first_start_->error().to_caf_error());
    }
    all.push_back(add(std::move(spec)).serial);
  }
  begin(std::move(all), [this](child* failed, const failure& why) {
    if (failed == nullptr) {
      tell(supervisor_event_kind::started, nullptr);
      first_start_over({});
      return next();
    }
    const failure reason{errc::child_start_failed, failed->spec.id + ": " + why.message()};
    first_start_over(reason);
    if (ending_) // asked to end meanwhile
      return next();
    finish(reason.to_caf_error());
  });
}

void supervisor::first_start_over(outcome<void> how) {
  first_start_ = std::move(how);
  for (auto& wants : std::exchange(want_start_, {}))
    wants.fire(*first_start_);
}

chained<void> supervisor::when_started() {
  promise<void> wants;
  chained<void> result{wants.get_deferred()};
  if (first_start_)
    wants.fire(*first_start_);
  else if (gone_)
    wants.errback(errc::actor_down);
  else
    want_start_.push_back(std::move(wants));
  return result;
}

chained<void> supervisor::shut_down(caf::error reason) {
  promise<void> wants;
  chained<void> result{wants.get_deferred()};
  if (gone_) {
    wants.callback();
    return result;
  }
  enter([&] {
    want_end_.push_back(std::move(wants));
    begin_end(std::move(reason));
  });
  return result;
}

void supervisor::begin_end(caf::error reason) {
  if (std::exchange(ending_, true))
    return;
  waiting_.push_front({[this, why = std::move(reason)]() mutable { finish(std::move(why)); }, {}});
  if (starting_)
    starting_->cancel(); // which goes on with what waits
  drain();
}

void supervisor::hurry() {
  enter([this] {
    hurry_ = true;
    for (auto& [serial, c] : children_)
      if (c.state == child_state::stopping)
        kill(c);
  });
}

// The last operation: nothing follows.
void supervisor::finish(caf::error reason) {
  ending_ = true;
  if (group_timer_.active())
    group_timer_.cancel();
  std::vector<key> all;
  for (auto& [serial, c] : children_) {
    forget_timer(c);
    c.ended = false;
    if (!c.handle) {
      c.state = child_state::stopped;
      let_go(c);
    }
    all.push_back(serial);
  }
  end(std::move(all), dynamic(), [this, reason = std::move(reason)]() mutable {
    for (const auto& [serial, c] : children_)
      let_go(c);
    tell(supervisor_event_kind::stopped, nullptr, failure{reason});
    for (auto& wants : std::exchange(want_end_, {}))
      wants.callback();
    quit(std::move(reason));
  });
}

void supervisor::stop_requested() {
  begin_end(caf::exit_reason::user_shutdown);
}

void supervisor::on_exit() {
  gone_ = true;
  for (const auto& [serial, c] : children_)
    if (c.handle) {
      loop().scheduler().set_role(c.handle.id(), {});
      send_kill(c.handle); // it was killed itself, or failed
    }
  if (auto late = std::exchange(starting_, std::nullopt))
    late->cancel();
  if (const auto op = std::exchange(present_, nullptr); op && op->refuse)
    op->refuse(errc::actor_down);
  for (const auto& op : std::exchange(put_off_, {}))
    op->refuse(errc::actor_down);
  for (auto& op : std::exchange(waiting_, {}))
    if (op.refuse)
      op.refuse(errc::actor_down);
  if (!first_start_)
    first_start_over(failure{errc::actor_down});
  for (auto& wants : std::exchange(want_end_, {}))
    wants.errback(errc::actor_down);
  begun_ = {}; // they hold what awaits an answer
  ended_ = {};
  by_actor_.clear();
  children_.clear();
  super::on_exit();
}

} // namespace troupe
