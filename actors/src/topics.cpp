#include <troupe/actors/topics.hpp>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/runtime/runtime.hpp>

#include "topic_directory.hpp"
#include "topic_state.hpp"

namespace troupe {

topics::topics(runtime& rt) : directory_(new detail::topic_directory{rt.scheduler()}, false) {}
topics::topics(const topic_sharing& shared) : directory_(shared.directory_) {}
topics::topics(const topics&) noexcept = default;
topics& topics::operator=(const topics&) noexcept = default;
topics::~topics() = default;

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
