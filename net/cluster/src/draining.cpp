#include <algorithm>
#include <stdexcept>
#include <utility>

#include <caf/actor_cast.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/runtime.hpp>

#include "cluster_core.hpp"

namespace troupe::detail {

// -- who takes part -----------------------------------------------------------------------------

void cluster_core::on_drain(caf::strong_actor_ptr who, std::function<void()> fn) {
  if (!fn)
    throw std::logic_error("cluster: on_drain needs a function");
  home_.post([weak = weak_from_this(), who,
              fn = std::make_shared<const std::function<void()>>(std::move(fn))] {
    const auto self = running(weak);
    if (!self)
      return;
    const auto number = ++self->last_client_;
    self->clients_.emplace(number, client{caf::actor_cast<caf::weak_actor_ptr>(who), fn});
    if (self->draining()) { // it has come after the others were told
      self->untold_.push_back(number);
      if (!self->batch_call_.active())
        self->later(self->drain_.every, &cluster_core::tell_clients, self->batch_call_);
    }
    who->get()->attach_functor([weak, number] {
      const auto core = weak.lock();
      if (!core)
        return;
      core->home_.post([weak, number] {
        if (const auto still = running(weak); still && still->clients_.erase(number) != 0)
          still->drained_if_empty();
      });
    });
  });
}

void cluster_core::before_leaving(std::function<deferred<void>()> fn) {
  home_.expect_here("cluster::before_leaving", "use call_from_thread");
  if (!fn)
    throw std::logic_error("cluster: before_leaving needs a function");
  before_leaving_.push_back(std::move(fn));
}

// -- draining -----------------------------------------------------------------------------------

deferred<void> cluster_core::drain(drain_options how) {
  home_.expect_here("cluster::drain", "use call_from_thread");
  if (how.batch == 0)
    throw std::invalid_argument("drain_options: batch must not be zero");
  if (how.every < duration::zero() || how.grace < duration::zero())
    throw std::invalid_argument("drain_options: every and grace must not be negative");
  if (state() == own_state::left || state() == own_state::refused)
    return succeed();
  promise<void> done;
  auto result = done.get_deferred();
  drains_.push_back(std::move(done));
  if (draining())
    return result;
  draining_ = true;
  drain_ = how;
  rt_.logger().info("node {} drains: {} clients are told, {} every {} ms, and have {} ms",
                    options_.name, clients_.size(), how.batch,
                    std::chrono::duration_cast<std::chrono::milliseconds>(how.every).count(),
                    std::chrono::duration_cast<std::chrono::milliseconds>(how.grace).count());
  for (const auto& name :
       directory_.names_here()) // others ask others; what they have asked is answered
    tell_name(name);
  for (const auto& [number, one] : clients_)
    untold_.push_back(number);
  later(how.grace, &cluster_core::drained, grace_call_);
  home_.post([weak = weak_from_this()] {
    if (const auto self = running(weak); self && self->draining()) {
      self->tell_clients();
      self->drained_if_empty();
    }
  });
  changed();
  return result;
}

// One batch, and the next one later.
void cluster_core::tell_clients() {
  std::size_t told = 0;
  while (told < drain_.batch && !untold_.empty()) {
    const auto found = clients_.find(untold_.front());
    untold_.pop_front();
    if (found == clients_.end())
      continue;
    if (const auto who = found->second.who.lock()) {
      ++told;
      basic_actor::run_as(who, [fn = found->second.fn] { (*fn)(); });
    }
  }
  if (!untold_.empty())
    later(drain_.every, &cluster_core::tell_clients, batch_call_);
}

void cluster_core::drained_if_empty() {
  if (draining() && clients_.empty() && !drained_ && state() != own_state::left)
    drained();
}

void cluster_core::drained() {
  if (state() == own_state::left || std::exchange(drained_, true))
    return;
  rt_.logger().info("node {} has drained; {} clients are left", options_.name, clients_.size());
  later(longest_farewell, &cluster_core::farewell_over, grace_call_);
  auto open = std::make_shared<std::size_t>(1); // this function
  const auto done = [weak = weak_from_this(), open] {
    const auto self = weak.lock();
    if (--*open == 0 && self)
      self->farewell_over();
  };
  for (const auto& fn : std::exchange(before_leaving_, {})) {
    ++*open;
    try {
      fn().add_callbacks([done] { done(); },
                         [done, node = options_.name, log = &rt_.logger()](const failure& why) {
                           log->warn("node {} leaves: {}", node, why.message());
                           done();
                         });
    } catch (...) {
      rt_.logger().error("node {}: unhandled exception in before_leaving: {}", options_.name,
                         failure::current().message());
      done();
    }
  }
  done();
}

void cluster_core::farewell_over() {
  if (state() != own_state::left)
    leave().add_errback([](const failure&) {});
}

void cluster_core::end_drains() {
  for (auto* call : {&grace_call_, &batch_call_})
    take_back(*call);
  for (auto& one : std::exchange(drains_, {}))
    one.callback();
}

} // namespace troupe::detail
