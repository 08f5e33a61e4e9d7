#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <troupe/actors/topic_sharing.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

class cluster_core;

/// Hands what is published on any loop, or in any thread, to the cluster's loop.
///
/// What one publisher hands over arrives in its order: in place if it is on that loop already, and what
/// it may have on the way there has arrived; else by the loop's inbox, whose order is global. It is the
/// rule by which topics serve the subscribers of a loop. What another loop publishes in a turn goes there at
/// the end of that turn, all of it in one function; but what a floating actor publishes goes at once, for it may go on in
/// another loop.
///
/// Thread: any, but for `detach`.
class topic_relay final : public topic_carrier, public std::enable_shared_from_this<topic_relay> {
public:
  topic_relay(loop_scheduler& loops, cluster_core& core);
  ~topic_relay() override;

  void carry(const topic& what, bytes_view bytes) override;
  void subscribers_changed(const std::string& name) noexcept override;

  /// The cluster is no more. Thread: that of its loop.
  void detach() noexcept { core_ = nullptr; }

private:
  class outgoing;

  event_loop& home_;
  cluster_core* core_; // of the loop's thread
  std::vector<std::unique_ptr<outgoing>>
    outgoing_; // by number of loop; each is of that loop's thread
};

} // namespace troupe::detail
