#include "facts.hpp"

#include <utility>

namespace troupe::detail {

void own_facts::set(const std::string& key, std::string value) {
  const auto [there, is_new] = facts_.try_emplace(key);
  if (!is_new && there->second == value)
    return;
  there->second = std::move(value);
  note(key);
}

void own_facts::remove(const std::string& key) {
  if (facts_.erase(key) != 0)
    note(key);
}

void own_facts::note(const std::string& key) {
  ++version_;
  changes_.push_back(key);
  if (changes_.size() > kept_changes)
    changes_.pop_front();
}

} // namespace troupe::detail
