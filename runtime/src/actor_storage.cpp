#include <troupe/runtime/detail/actor_storage.hpp>

#include <deque>
#include <mutex>

namespace troupe {

// A process has a few hundred of them at most, however many runtimes it makes: CAF tells those by one byte, if at all. They
// stay, for a weak reference keeps its actor's control block for as long as it likes.
const caf::node_id& detail::kept_node(const caf::node_id& node) {
  static std::mutex mutex;
  static auto& all = *new std::deque<caf::node_id>;
  thread_local const caf::node_id* latest = nullptr;
  if (latest != nullptr && latest->compare(node) == 0)
    return *latest;
  const std::lock_guard hold{mutex};
  for (const auto& one : all)
    if (one.compare(node) == 0)
      return *(latest = &one);
  return *(latest = &all.emplace_back(node));
}

} // namespace troupe
