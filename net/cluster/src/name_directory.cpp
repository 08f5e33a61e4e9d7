#include "name_directory.hpp"

#include <algorithm>
#include <utility>

#include <caf/abstract_actor.hpp>

#include "peer.hpp"

namespace troupe::detail {

bool is_alive(const caf::strong_actor_ptr& who) {
  return who
         && !who->get()->getf(caf::abstract_actor::is_terminated_flag
                              | caf::abstract_actor::is_cleaned_up_flag);
}

// What is let go may be the last one that refers to an actor, whose end is not to happen under the lock.
std::uint64_t name_directory::put(const std::string& name, whom who, bool outlasts_drain) {
  whom gone;
  caf::strong_actor_ptr had;
  const std::lock_guard lock{mutex_};
  const auto found = here_.find(name);
  if (found != here_.end()) {
    had = found->second.who();
    if (is_alive(had))
      return 0;
    gone = std::move(found->second.who);
  }
  here_[name] = {++last_instance_, std::move(who), outlasts_drain};
  return last_instance_;
}

bool name_directory::take(const std::string& name, std::uint64_t instance) {
  whom gone;
  const std::lock_guard lock{mutex_};
  const auto found = here_.find(name);
  if (found == here_.end() || (instance != 0 && found->second.instance != instance))
    return false;
  gone = std::move(found->second.who);
  here_.erase(found);
  return true;
}

caf::strong_actor_ptr name_directory::local(const std::string& name) const {
  const std::lock_guard lock{mutex_};
  const auto found = here_.find(name);
  return found == here_.end() ? nullptr : found->second.who();
}

std::uint64_t name_directory::instance(const std::string& name) const {
  const std::lock_guard lock{mutex_};
  const auto found = here_.find(name);
  return found == here_.end() ? 0 : found->second.instance;
}

bool name_directory::outlasts_drain(const std::string& name) const {
  const std::lock_guard lock{mutex_};
  const auto found = here_.find(name);
  return found != here_.end() && found->second.outlasts_drain;
}

std::vector<std::string> name_directory::names_here() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> all;
  for (const auto& [name, one] : here_)
    all.push_back(name);
  std::sort(all.begin(), all.end());
  return all;
}

void name_directory::set(peer& who, std::string_view name, std::uint64_t instance) {
  const std::lock_guard lock{mutex_};
  auto& all = elsewhere_[std::string{name}];
  for (auto& one : all)
    if (one.who == &who) {
      one.instance = instance;
      return;
    }
  all.push_back({&who, instance});
}

void name_directory::remove(peer& who, std::string_view name) {
  const std::lock_guard lock{mutex_};
  const auto found = elsewhere_.find(std::string{name});
  if (found == elsewhere_.end())
    return;
  std::erase_if(found->second, [&](const auto& one) { return one.who == &who; });
  if (found->second.empty())
    elsewhere_.erase(found);
}

std::uint64_t name_directory::instance(const std::string& name, std::string_view node) const {
  const std::lock_guard lock{mutex_};
  const auto found = elsewhere_.find(name);
  if (found != elsewhere_.end())
    for (const auto& one : found->second)
      if (one.who->name == node)
        return one.instance;
  return 0;
}

std::vector<peer*> name_directory::nodes(const std::string& name) const {
  const std::lock_guard lock{mutex_};
  std::vector<peer*> all;
  const auto found = elsewhere_.find(name);
  if (found != elsewhere_.end())
    for (const auto& one : found->second)
      all.push_back(one.who);
  return all;
}

bool name_directory::is_served(const std::string& name, const std::string& node,
                               const std::string& us) const {
  if ((node.empty() || node == us) && instance(name) != 0)
    return true;
  if (node == us)
    return false;
  if (!node.empty())
    return instance(name, node) != 0;
  const std::lock_guard lock{mutex_};
  return elsewhere_.count(name) != 0;
}

std::size_t name_directory::served_here() const {
  const std::lock_guard lock{mutex_};
  return here_.size();
}

std::size_t name_directory::served_elsewhere() const {
  const std::lock_guard lock{mutex_};
  return elsewhere_.size();
}

} // namespace troupe::detail
