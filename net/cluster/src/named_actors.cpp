#include <algorithm>
#include <stdexcept>
#include <utility>

#include <caf/actor_cast.hpp>

#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/logger.hpp>

#include "cluster_core.hpp"

namespace troupe::detail {

// -- serving ------------------------------------------------------------------------------------

std::uint64_t cluster_core::put_name(const std::string& name, name_directory::whom who,
                                     while_draining drains) {
  if (name.empty() || name.size() > wire::longest_topic)
    throw std::invalid_argument("cluster: the name of an actor has 1 to "
                                + std::to_string(wire::longest_topic) + " bytes, not "
                                + std::to_string(name.size()));
  if (directory_.served_here() >= most_names)
    throw std::invalid_argument("cluster: a node may serve " + std::to_string(most_names)
                                + " names; '" + escape_text(name, 64) + "' is one more");
  const auto instance = directory_.put(name, std::move(who), drains == while_draining::kept);
  if (instance != 0)
    home_.post([weak = weak_from_this(), name] {
      const auto self = running(weak);
      if (!self)
        return;
      self->tell_name(name);
      // Whoever had it may have ended a moment ago, and does not take it away any more.
      self->look_at_watches(name, self->nobody_serves(name, self->options_.name));
    });
  return instance;
}

bool cluster_core::serve(const std::string& name, caf::strong_actor_ptr who,
                         while_draining drains) {
  if (!who)
    throw std::invalid_argument("cluster: serve needs an actor; the handle is empty");
  const auto instance = put_name(
    name, [who] { return who; }, drains);
  if (instance == 0)
    return false;
  // When it ends, at once for those who ask here, and then for all others. If it has ended, right now.
  who->get()->attach_functor([weak = weak_from_this(), name, instance] {
    const auto self = weak.lock();
    if (!self || !self->directory_.take(name, instance))
      return;
    self->home_.post([weak, name] {
      if (const auto core = running(weak)) {
        core->tell_name(name);
        core->look_at_watches(name, core->nobody_serves(name, core->options_.name));
      }
    });
  });
  return is_alive(who);
}

bool cluster_core::serve(const std::string& name, named_actor who, while_draining drains) {
  return put_name(
           name, [who = std::move(who)] { return who.who(); }, drains)
         != 0;
}

void cluster_core::unserve(const std::string& name) {
  if (!directory_.take(name, 0))
    return;
  home_.post([weak = weak_from_this(), name] {
    if (const auto self = running(weak)) {
      self->tell_name(name);
      self->look_at_watches(name, self->nobody_serves(name, self->options_.name));
    }
  });
}

failure cluster_core::nobody_serves(const std::string& name, const std::string& node) const {
  return {errc::actor_down,
          "nobody serves '" + escape_text(name, 64) + "'"
            + (node.empty() ? " in cluster " + options_.cluster : " on node " + node)};
}

// -- what others serve --------------------------------------------------------------------------

void cluster_core::set_name(peer& who, std::string_view name, std::uint64_t instance) {
  const std::string key{name};
  auto& known = who.names[key];
  if (known == instance)
    return;
  const bool another = std::exchange(known, instance) != 0;
  directory_.set(who, name, instance);
  names_changed();
  if (another) // that one has ended
    look_at_watches(key, nobody_serves(key, who.name));
}

void cluster_core::remove_name(peer& who, const std::string& name, const failure& why) {
  if (who.names.erase(name) == 0)
    return;
  directory_.remove(who, name);
  names_changed();
  look_at_watches(name, why);
}

// -- who serves a name --------------------------------------------------------------------------

// Tells whether others are told that this node serves `name`.
bool cluster_core::tells_name(const std::string& name) const {
  return directory_.instance(name) != 0 && (!draining() || directory_.outlasts_drain(name));
}

std::vector<std::string> cluster_core::nodes_that_serve(const std::string& name) const {
  std::vector<std::string> all;
  for (const auto* one : directory_.nodes(name))
    if (one->lives())
      all.push_back(one->name);
  const auto us = state();
  if ((us == own_state::up || us == own_state::isolated) && tells_name(name))
    all.push_back(options_.name);
  std::sort(all.begin(), all.end());
  return all;
}

void cluster_core::observe_name(caf::strong_actor_ptr who, std::string name,
                                std::function<void(const std::vector<std::string>&)> fn) {
  if (!fn)
    throw std::logic_error("cluster: observe_name needs a function");
  home_.post([weak = weak_from_this(),
              one = name_observer{
                caf::actor_cast<caf::weak_actor_ptr>(who), std::move(name),
                std::make_shared<const std::function<void(const std::vector<std::string>&)>>(
                  std::move(fn))}]() mutable {
    if (const auto self = running(weak)) {
      self->name_observers_.push_back(std::move(one));
      self->names_changed();
    }
  });
}

void cluster_core::names_changed() {
  names_changed_ = true;
  want_end_of_turn();
}

void cluster_core::tell_name_observers() {
  std::erase_if(name_observers_, [](const auto& one) { return !one.who.lock(); });
  for (auto& one : name_observers_) {
    auto now = nodes_that_serve(one.name);
    if (one.told == now)
      continue;
    one.told = now;
    if (const auto who = one.who.lock())
      basic_actor::run_as(who, [fn = one.fn, now = std::move(now)] { (*fn)(now); });
  }
}

// -- watching -----------------------------------------------------------------------------------

std::uint64_t cluster_core::watch(caf::strong_actor_ptr who, std::string name, std::string node,
                                  std::function<void(const failure&)> fn) {
  if (!fn)
    throw std::logic_error("cluster: watch needs a function");
  const auto number = ++last_watch_;
  watch_entry one{number, caf::actor_cast<caf::weak_actor_ptr>(who), std::move(node), 0,
                  std::make_shared<const std::function<void(const failure&)>>(std::move(fn))};
  home_.post([weak = weak_from_this(), name = std::move(name), one = std::move(one)]() mutable {
    const auto self = running(weak);
    if (!self)
      return end_watch(one, {errc::not_connected, "the cluster has ended"});
    const bool over = self->state() == own_state::left || self->state() == own_state::refused;
    if (name.empty()) { // the node itself
      const auto found = self->peers_.find(one.node);
      if (one.node == self->options_.name && !over) {
        one.instance = self->incarnation();
      } else if (over || found == self->peers_.end() || !found->second->lives()) {
        return end_watch(one, {errc::connection_lost, "node " + one.node + " is not up"});
      } else {
        one.instance = found->second->incarnation;
      }
      auto& all = self->node_watches_[one.node];
      std::erase_if(all, [](const auto& w) { return !w.who.lock(); });
      all.push_back(std::move(one));
      return;
    }
    if (!self->directory_.is_served(name, one.node, self->options_.name))
      return end_watch(one, self->nobody_serves(name, one.node));
    if (over && one.node != self->options_.name)
      return end_watch(one, {errc::not_connected,
                             "node " + self->options_.name + " is not in the cluster any more"});
    if (!one.node.empty())
      one.instance = one.node == self->options_.name ? self->directory_.instance(name)
                                                     : self->directory_.instance(name, one.node);
    auto& all = self->watches_[name];
    std::erase_if(all, [](const auto& w) { return !w.who.lock(); });
    all.push_back(std::move(one));
  });
  return number;
}

void cluster_core::unwatch(std::uint64_t number) {
  home_.post([weak = weak_from_this(), number] {
    const auto self = running(weak);
    if (!self)
      return;
    for (auto* const table : {&self->watches_, &self->node_watches_})
      for (auto next = table->begin(); next != table->end(); ++next) {
        if (std::erase_if(next->second, [&](const auto& w) { return w.number == number; }) == 0)
          continue;
        if (next->second.empty())
          table->erase(next);
        return;
      }
  });
}

void cluster_core::end_watch(const watch_entry& one, const failure& why) {
  if (const auto who = one.who.lock())
    basic_actor::run_as(who, [fn = one.fn, why] { (*fn)(why); });
}

// Ends the watches of a name that nobody serves any more whom they watch.
void cluster_core::look_at_watches(const std::string& name, const failure& why) {
  const auto found = watches_.find(name);
  if (found == watches_.end())
    return;
  std::erase_if(found->second, [&](const auto& one) {
    const auto served = one.node.empty() ? directory_.is_served(name, {}, options_.name) ? 1 : 0
                        : one.node == options_.name ? directory_.instance(name)
                                                    : directory_.instance(name, one.node);
    if (one.node.empty() ? served != 0 : served == one.instance)
      return false;
    end_watch(one, why);
    return true;
  });
  if (found->second.empty())
    watches_.erase(found);
}

void cluster_core::look_at_node_watches(const peer& who, const failure& why) {
  const auto found = node_watches_.find(who.name);
  if (found == node_watches_.end())
    return;
  const auto ending = std::move(found->second);
  node_watches_.erase(found);
  for (const auto& one : ending)
    end_watch(one, why);
}

void cluster_core::end_watches(const failure& why) {
  for (auto* const table : {&watches_, &node_watches_})
    for (const auto& [key, all] : std::exchange(*table, {}))
      for (const auto& one : all)
        end_watch(one, why);
}

} // namespace troupe::detail
