#include <troupe/actors/topics.hpp>

#include <troupe/runtime/runtime.hpp>

#include "topic_directory.hpp"
#include "topic_state.hpp"

namespace troupe {

topics::topics(runtime& rt)
  : directory_(std::make_shared<detail::topic_directory>(rt.scheduler())) {}

topic topics::get(std::string_view name) const {
  return topic{directory_->get(name)};
}

topic topics::find(std::string_view name) const {
  return topic{directory_->find(name)};
}

std::vector<std::string> topics::names() const {
  return directory_->names();
}

std::size_t topics::size() const {
  return directory_->size();
}

} // namespace troupe
