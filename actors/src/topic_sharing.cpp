#include <troupe/actors/topic_sharing.hpp>

#include <utility>

#include <troupe/runtime/runtime.hpp>

#include "topic_directory.hpp"
#include "topic_state.hpp"

namespace troupe {

topic_sharing::topic_sharing(runtime& rt, std::shared_ptr<topic_carrier> carrier,
                             const limits& bounds)
  : directory_(new detail::topic_directory{rt.scheduler(), std::move(carrier), bounds}, false) {}

topic_sharing::~topic_sharing() {
  directory_->nobody_elsewhere();
}

void topic_sharing::wanted_elsewhere(std::string_view name, void* mark) const {
  directory_->wanted_elsewhere(name, mark);
}

void* topic_sharing::mark_of(const topic& what) noexcept {
  return what.state_ ? what.state_->elsewhere() : nullptr;
}

} // namespace troupe
