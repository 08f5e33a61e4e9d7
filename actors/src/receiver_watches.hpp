#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <caf/actor_control_block.hpp>
#include <caf/actor_system.hpp>

#include <troupe/actors/ask.hpp>

namespace troupe::detail {

/// Knows which questions wait for which actor, and fails them when that actor ends.
///
/// An asked actor carries one watch however many ask it: CAF keeps those in a list that it searches
/// to take one back, which a watch for each question would make quadratic. The one that was asked last, of each shard, keeps
/// its watch when no question waits any more: who is asked again and again is watched once.
///
/// Thread: any. One for each runtime, shared by the questions that it knows.
class receiver_watches : public std::enable_shared_from_this<receiver_watches> {
public:
  static const std::shared_ptr<receiver_watches>& of(caf::actor_system& sys);

  void add(question_base& q);
  void remove(question_base& q) noexcept;

  /// Fails all questions to `receiver`, each as its asker.
  void receiver_ended(const caf::actor_control_block* receiver);

private:
  /// An actor that is asked. Its control block stays, also if it goes without an end, as CAF's compositions of actors do.
  struct watched {
    caf::weak_actor_ptr receiver;
    question_base* first = nullptr; // of those that wait for it
  };
  struct shard {
    std::mutex mutex;
    std::unordered_map<const caf::actor_control_block*, watched> all;
    const caf::actor_control_block* idle =
      nullptr; // one that has no questions, perhaps, and its watch
  };

  shard& shard_of(const caf::actor_control_block* receiver) noexcept {
    return shards_[(reinterpret_cast<std::uintptr_t>(receiver) >> 7) % shards_.size()];
  }

  std::array<shard, 16> shards_;
};

} // namespace troupe::detail
