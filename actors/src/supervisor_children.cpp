// What may be asked of a supervisor about its children, and the books that it keeps of them.
#include <troupe/actors/supervisor.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

[[noreturn]] void refuse(errc code, const std::string& id) {
  failure{code, id}.raise();
}

} // namespace

template <class T, class F>
chained<T> supervisor::call(F fn) {
  const auto answer = std::make_shared<promise<T>>();
  chained<T> result{answer->get_deferred()};
  bool asked = false;
  enter([&] {
    asked = true;
    auto run = [this, answer, fn = std::move(fn)]() mutable {
      try {
        fn(answer);
      } catch (...) {
        answer->errback(failure::current());
        next();
      }
    };
    perform(operation{std::move(run), [answer](const failure& why) {
                        if (!answer->called())
                          answer->errback(why);
                      }});
  });
  if (!asked)
    answer->errback(errc::actor_down);
  return result;
}

chained<caf::actor> supervisor::start_child(child_spec spec) {
  using answer = std::shared_ptr<promise<caf::actor>>;
  return call<caf::actor>([this, spec = std::move(spec)](const answer& started) mutable {
    if (ending())
      refuse(errc::actor_down, "the supervisor ends");
    check(spec);
    if (children_.size() >= options_.max_children)
      refuse(errc::child_limit_reached, spec.id);
    if (group_waits())
      return put_off();
    const auto serial = add(std::move(spec)).serial;
    begin({serial}, [this, started, serial](child* failed, const failure& why) {
      if (failed != nullptr) {
        remove(*failed);
        started->errback(why);
      } else {
        const auto* const c = find(serial); // none if it is not wanted now, and not kept
        started->callback(c != nullptr ? c->handle : caf::actor{});
      }
      next();
    });
  });
}

chained<void> supervisor::terminate_child(const std::string& id) {
  return call<void>([this, id](const std::shared_ptr<promise<void>>& ended) {
    if (dynamic())
      refuse(errc::not_supported, "dynamic children are terminated by their actor");
    terminate(expect(id), ended);
  });
}

chained<void> supervisor::terminate_child(const caf::actor& actor) {
  return call<void>([this, actor](const std::shared_ptr<promise<void>>& ended) {
    auto* const c = find(actor);
    if (c == nullptr)
      refuse(errc::no_such_child, {});
    terminate(*c, ended);
  });
}

void supervisor::terminate(child& c, std::shared_ptr<promise<void>> ended) {
  forget_timer(c);
  c.ended = false;
  end({c.serial}, false, [this, serial = c.serial, ended = std::move(ended)] {
    if (auto* const left = find(serial); left != nullptr)
      retire(*left);
    ended->callback();
    next();
  });
}

chained<caf::actor> supervisor::restart_child(const std::string& id) {
  using answer = std::shared_ptr<promise<caf::actor>>;
  return call<caf::actor>([this, id](const answer& started) {
    if (ending())
      refuse(errc::actor_down, "the supervisor ends");
    auto& c = expect_stopped(id);
    if (group_waits())
      return put_off();
    begin({c.serial}, [this, started, serial = c.serial](child* failed, const failure& why) {
      if (failed != nullptr) {
        let_go(*failed);
        started->errback(why);
      } else {
        started->callback(find(serial)->handle);
      }
      next();
    });
  });
}

chained<void> supervisor::delete_child(const std::string& id) {
  return call<void>([this, id](const std::shared_ptr<promise<void>>& deleted) {
    remove(expect_stopped(id));
    deleted->callback();
    next();
  });
}

std::vector<child_info> supervisor::which_children() const {
  std::vector<child_info> all;
  all.reserve(children_.size());
  for (const auto& [serial, c] : children_)
    all.push_back({c.spec.id, c.handle, c.state, c.spec.restart, c.spec.type});
  return all;
}

child_counts supervisor::count_children() const {
  child_counts counts;
  for (const auto& [serial, c] : children_) {
    ++counts.specs;
    counts.active += c.handle ? 1 : 0;
    ++(c.spec.type == child_type::supervisor ? counts.supervisors : counts.workers);
  }
  return counts;
}

void supervisor::check(const child_spec& spec) const {
  if (!spec.start)
    refuse(errc::invalid_argument, spec.id + ": there is no start function");
  if (spec.shutdown && *spec.shutdown < duration::zero())
    refuse(errc::invalid_argument, spec.id + ": the shutdown time is negative");
  if (!dynamic() && by_id_.contains(spec.id))
    refuse(errc::child_exists, spec.id);
}

supervisor::child& supervisor::add(child_spec spec) {
  const auto serial = ++latest_;
  if (!dynamic())
    by_id_.emplace(spec.id, serial);
  return children_.emplace(serial, child{.serial = serial, .spec = std::move(spec)}).first->second;
}

void supervisor::remove(child& c) {
  tell(supervisor_event_kind::child_removed, &c);
  forget_timer(c);
  let_go(c);
  if (!dynamic())
    by_id_.erase(c.spec.id);
  children_.erase(c.serial);
}

// `c` does not run, and only a call starts it again.
void supervisor::retire(child& c) {
  c.state = child_state::stopped;
  if (dynamic() || c.spec.restart == restart_type::temporary)
    remove(c);
  else
    let_go(c);
}

void supervisor::let_go(const child& c) {
  if (!c.spec.stopped)
    return;
  try {
    c.spec.stopped();
  } catch (...) {
    loop().scheduler().logger().error("supervisor {}: child {} could not let go: {}", options_.name,
                                      c.spec.id, failure::current().message());
  }
}

supervisor::child* supervisor::find(key serial) {
  const auto found = children_.find(serial);
  return found != children_.end() ? &found->second : nullptr;
}

supervisor::child* supervisor::find(const caf::actor& actor) {
  const auto found = by_actor_.find(actor.address());
  return found != by_actor_.end() ? find(found->second) : nullptr;
}

supervisor::child& supervisor::expect(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end())
    refuse(errc::no_such_child, id);
  return *find(found->second);
}

supervisor::child& supervisor::expect_stopped(const std::string& id) {
  auto& c = expect(id);
  if (c.state == child_state::restarting || c.ended)
    refuse(errc::child_restarting, id);
  if (c.state != child_state::stopped)
    refuse(errc::child_running, id);
  return c;
}

void supervisor::forget_timer(child& c) {
  if (c.timer.active())
    c.timer.cancel();
}

} // namespace troupe
