#include "interest.hpp"

#include <algorithm>
#include <utility>

namespace troupe::detail {

// -- of others ----------------------------------------------------------------------------------

void interest_table::add(peer& who, std::string_view name) {
  if (who.topics.count(name) != 0)
    return;
  auto found = topics_.find(name);
  if (found == topics_.end()) {
    auto made = std::make_unique<wanted_topic>();
    made->name = name;
    const std::string_view key = made->name;
    found = topics_.emplace(key, std::move(made)).first;
  }
  auto& topic = *found->second;
  topic.by_whom.push_back({&who});
  who.topics.emplace(topic.name, &topic);
  if (topic.by_whom.size() == 1)
    changed_(topic.name, &topic);
}

void interest_table::remove(peer& who, std::string_view name) {
  const auto found = who.topics.find(name);
  if (found == who.topics.end())
    return;
  auto& topic = *found->second;
  who.topics.erase(found);
  take_out(who, topic);
}

void interest_table::remove_all(peer& who) {
  for (const auto& [name, topic] : std::exchange(who.topics, {}))
    take_out(who, *topic);
}

void interest_table::replace(peer& who, const std::vector<std::string>& names) {
  const std::unordered_set<std::string_view> wanted{names.begin(), names.end()};
  std::vector<std::string> gone;
  for (const auto& [name, topic] : who.topics)
    if (wanted.count(name) == 0)
      gone.emplace_back(name);
  for (const auto& name : gone)
    remove(who, name);
  for (const auto& name : names)
    add(who, name);
}

void interest_table::take_out(peer& who, wanted_topic& topic) {
  auto& all = topic.by_whom;
  all.erase(std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.who == &who; }));
  if (!all.empty())
    return;
  changed_(topic.name, nullptr);
  topics_.erase(topics_.find(topic.name)); // by iterator: the key lies in what is destroyed
}

// -- of our own ---------------------------------------------------------------------------------

bool own_interest::look(std::string_view name, std::size_t subscribers, time_point now) {
  const std::string key{name};
  const bool told = topics_.count(key) != 0;
  if (subscribers == 0) {
    if (told && leaving_.insert(key).second)
      lingering_.push_back({saturating_add(now, linger), key});
    return true;
  }
  if (told)
    return true;
  if (topics_.size() >= most_)
    return false;
  topics_.insert(key);
  note(true, key);
  return true;
}

void own_interest::note(bool wanted, const std::string& name) {
  ++version_;
  changes_.push_back({wanted, name});
  if (changes_.size() > kept_changes)
    changes_.pop_front();
}

} // namespace troupe::detail
