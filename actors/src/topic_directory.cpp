#include "topic_directory.hpp"

#include <stdexcept>
#include <utility>

#include <troupe/runtime/logger.hpp>

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

topic_directory::topic_directory(loop_scheduler& scheduler, std::shared_ptr<topic_carrier> carrier,
                                 const topic_sharing::limits& bounds)
  : home_(scheduler), carrier_(std::move(carrier)), bounds_(bounds) {}

void topic_directory::expect_fit(std::string_view name) const {
  if (name.empty())
    throw std::invalid_argument("topics: a topic that is shared with other nodes needs a name");
  if (name.size() > bounds_.longest_name)
    throw std::invalid_argument("topics: the name '" + escape_text(name, 40) + "' has "
                                + std::to_string(name.size())
                                + " bytes; one that is shared with other "
                                  "nodes may have "
                                + std::to_string(bounds_.longest_name));
}

caf::intrusive_ptr<topic_state> topic_directory::get(std::string_view name) {
  if (carrier_)
    expect_fit(name);
  const std::lock_guard lock{mutex_};
  if (auto found = find_locked(name))
    return found;
  caf::intrusive_ptr made{new topic_state{home_, std::string{name}, this}};
  topics_.erase(name); // of one that is being destroyed, which owns the key
  topics_.emplace(made->name(), made.get());
  if (carrier_)
    if (const auto found = elsewhere_.find(made->name()); found != elsewhere_.end())
      made->set_elsewhere(found->second);
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

// A topic that is being destroyed is still there until it has taken itself out, under the lock.
void topic_directory::wanted_elsewhere(std::string_view name, void* mark) {
  const std::lock_guard lock{mutex_};
  if (mark != nullptr)
    elsewhere_[std::string{name}] = mark;
  else
    elsewhere_.erase(std::string{name});
  if (const auto found = topics_.find(name); found != topics_.end())
    found->second->set_elsewhere(mark);
}

void topic_directory::nobody_elsewhere() noexcept {
  const std::lock_guard lock{mutex_};
  elsewhere_.clear();
  for (const auto& [name, topic] : topics_)
    topic->set_elsewhere(nullptr);
}

} // namespace troupe::detail
