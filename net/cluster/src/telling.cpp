#include <utility>

#include <caf/actor_cast.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

#include "cluster_core.hpp"

namespace troupe::detail {

namespace {

log_level level_of(node_event::kind_type kind) noexcept {
  switch (kind) {
  case node_event::down:
  case node_event::isolated:
  case node_event::refused:
  case node_event::publications_missed:
    return log_level::warn;
  default:
    return log_level::info;
  }
}

node_event event_of(node_event::kind_type kind, const peer& who) {
  node_event what;
  what.kind = kind;
  what.node = who.name;
  what.incarnation = who.incarnation;
  what.version = who.version;
  return what;
}

} // namespace

void cluster_core::add_observer(caf::strong_actor_ptr who,
                                std::function<void(const node_event&)> fn) {
  if (!fn)
    throw std::logic_error("cluster: observe needs a function");
  auto shared = std::make_shared<const std::function<void(const node_event&)>>(std::move(fn));
  home_.post([weak = weak_from_this(), who = std::move(who), fn = std::move(shared)] {
    const auto self = running(weak);
    if (!self)
      return;
    for (const auto& [name, p] : self->peers_)
      if (p->lives())
        basic_actor::run_as(who, [fn, event = event_of(node_event::up, *p)] { (*fn)(event); });
    self->observers_.push_back({caf::actor_cast<caf::weak_actor_ptr>(who), fn});
  });
}

void cluster_core::tell(node_event what) {
  const auto level = static_cast<spdlog::level::level_enum>(level_of(what.kind));
  if (what.kind == node_event::publications_missed)
    rt_.repeats().note("cluster missed " + options_.name + " " + what.node, log_level::warn,
                       [&] { return "node " + options_.name + ": " + to_string(what); });
  else if (rt_.logger().should_log(level))
    rt_.logger().log(level, "node {}: {}", options_.name, to_string(what));
  changed();
  std::erase_if(observers_, [](const auto& one) { return !one.who.lock(); });
  if (observers_.empty())
    return;
  const auto event = std::make_shared<const node_event>(std::move(what));
  for (const auto& one : observers_)
    if (const auto who = one.who.lock())
      basic_actor::run_as(who, [fn = one.fn, event] { (*fn)(*event); });
}

void cluster_core::tell(node_event::kind_type kind, const peer& who, failure why) {
  auto what = event_of(kind, who);
  what.why = std::move(why);
  tell(std::move(what));
}

void cluster_core::tell_of_us(node_event::kind_type kind, failure why) {
  node_event what;
  what.kind = kind;
  what.node = options_.name;
  what.incarnation = incarnation();
  what.version = options_.version;
  what.why = std::move(why);
  tell(std::move(what));
}

void cluster_core::tell_missed() {
  if (!std::exchange(missed_untold_, false))
    return;
  for (auto& [name, p] : peers_)
    if (p->missed_untold != 0) {
      auto what = event_of(node_event::publications_missed, *p);
      what.count = std::exchange(p->missed_untold, 0);
      tell(std::move(what));
    }
}

std::vector<node_info> cluster_core::look_around() const {
  const auto now = time_.now();
  std::vector<node_info> all;
  all.reserve(peers_.size());
  for (const auto& [name, p] : peers_)
    all.push_back({name, p->state, p->incarnation, p->version, now - p->heard, p->topics.size(),
                   p->published, p->dropped, p->received, p->missed});
  return all;
}

std::vector<node_info> cluster_core::nodes() const {
  if (home_.is_here())
    return look_around();
  const std::lock_guard lock{seen_mutex_};
  return seen_;
}

void cluster_core::changed() {
  changed_ = true;
  want_end_of_turn();
}

cluster_counters cluster_core::counters() const noexcept {
  return {
    .messages_out = count_.messages_out.get(),
    .messages_in = count_.messages_in.get(),
    .bytes_out = count_.bytes_out.get(),
    .bytes_in = count_.bytes_in.get(),
    .refused_messages = count_.refused_messages.get(),
    .publications_out = count_.publications_out.get(),
    .publications_dropped = count_.publications_dropped.get(),
    .publications_in = count_.publications_in.get(),
    .publications_unwanted = count_.publications_unwanted.get(),
    .publications_refused = count_.publications_refused.get(),
    .publications_missed = count_.publications_missed.get(),
    .publications_repeated = count_.publications_repeated.get(),
    .isolations = count_.isolations.get(),
    .incarnations = count_.incarnations.get(),
    .questions_out = count_.questions_out.get(),
    .questions_in = count_.questions_in.get(),
    .questions_refused = count_.questions_refused.get(),
  };
}

} // namespace troupe::detail
