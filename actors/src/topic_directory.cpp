#include "topic_directory.hpp"

#include "topic_state.hpp"

namespace troupe::detail {

void intrusive_ptr_add_ref(const topic_directory* directory) noexcept {
  directory->ref();
}

void intrusive_ptr_release(const topic_directory* directory) noexcept {
  directory->deref();
}

caf::intrusive_ptr<topic_state> topic_directory::find_locked(std::string_view name) const {
  const auto found = topics_.find(name);
  if (found == topics_.end() || !found->second->try_hold())
    return nullptr;
  return {found->second, false}; // try_hold() counted this reference
}

caf::intrusive_ptr<topic_state> topic_directory::get(std::string_view name) {
  const std::lock_guard lock{mutex_};
  if (auto found = find_locked(name))
    return found;
  caf::intrusive_ptr made{new topic_state{home_, std::string{name}, this}};
  topics_.erase(name); // of one that is being destroyed, which owns the key
  topics_.emplace(made->name(), made.get());
  return made;
}

caf::intrusive_ptr<topic_state> topic_directory::find(std::string_view name) const {
  const std::lock_guard lock{mutex_};
  return find_locked(name);
}

std::vector<std::string> topic_directory::names() const {
  const std::lock_guard lock{mutex_};
  std::vector<std::string> result;
  result.reserve(topics_.size());
  for (const auto& [name, topic] : topics_)
    result.emplace_back(name);
  return result;
}

std::size_t topic_directory::size() const {
  const std::lock_guard lock{mutex_};
  return topics_.size();
}

void topic_directory::forget(const topic_state& topic) noexcept {
  const std::lock_guard lock{mutex_};
  const auto found = topics_.find(topic.name());
  if (found != topics_.end() && found->second == &topic)
    topics_.erase(found);
}

} // namespace troupe::detail
