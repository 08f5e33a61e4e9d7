#pragma once

#include <memory>
#include <string>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe::detail {

class cluster_core;

/// Hands what is published on any loop, or in any thread, to the cluster's loop.
///
/// What one publisher hands over arrives in its order: in place if it is on that loop already, and what
/// it may have on the way there has arrived; else by the loop's inbox, whose order is global. It is the
/// rule by which topics serve the subscribers of a loop.
///
/// Thread: any, but for `detach`.
class topic_relay final : public topic_carrier, public std::enable_shared_from_this<topic_relay> {
public:
  topic_relay(event_loop& home, cluster_core& core) : home_(home), core_(&core) {}

  void carry(const topic& what, const shared_bytes& bytes) override;
  void subscribers_changed(const std::string& name) noexcept override;

  /// The cluster is no more. Thread: that of the loop.
  void detach() noexcept { core_ = nullptr; }

private:
  event_loop& home_;
  cluster_core* core_; // of the loop's thread
};

} // namespace troupe::detail
