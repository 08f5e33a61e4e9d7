#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/intrusive_ptr.hpp>
#include <caf/ref_counted.hpp>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/actors/topics.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

class topic_state;

/// The runtime of a topic, whose handles may outlive it: a topic without a runtime has nobody to tell.
struct topic_home {
  explicit topic_home(loop_scheduler& s)
    : scheduler(s), system(s.system()), loops(s.size()), alive(s.alive()) {}
  loop_scheduler& scheduler; // as long as `alive`
  caf::actor_system& system; // to compare with
  std::size_t loops;
  std::shared_ptr<const std::atomic<bool>> alive;
};

/// The topics that have a name and exist. Thread: any.
class topic_directory : public caf::ref_counted {
public:
  explicit topic_directory(loop_scheduler& scheduler) : home_(scheduler) {}

  /// Makes one whose topics are shared.
  topic_directory(loop_scheduler& scheduler, std::shared_ptr<topic_carrier> carrier,
                  const topic_sharing::limits& bounds);

  [[nodiscard]] caf::intrusive_ptr<topic_state> get(std::string_view name);
  [[nodiscard]] caf::intrusive_ptr<topic_state> find(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::size_t size() const;

  /// Takes out a topic that is being destroyed, unless another one has its name already.
  void forget(const topic_state& topic) noexcept;

  // -- of topics that are shared ------------------------------------------------------------------

  /// Returns what carries, or null.
  [[nodiscard]] topic_carrier* carrier() const noexcept { return carrier_.get(); }
  [[nodiscard]] const topic_sharing::limits& bounds() const noexcept { return bounds_; }
  void wanted_elsewhere(std::string_view name, void* mark);
  void nobody_elsewhere() noexcept;

private:
  void expect_fit(std::string_view name) const;
  [[nodiscard]] caf::intrusive_ptr<topic_state> find_locked(std::string_view name) const;

  const topic_home home_;
  const std::shared_ptr<topic_carrier> carrier_;
  const topic_sharing::limits bounds_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string_view, topic_state*> topics_; // by the name within the topic
  std::unordered_map<std::string, void*>
    elsewhere_; // what is wanted there, whether or not it is here
};

} // namespace troupe::detail
