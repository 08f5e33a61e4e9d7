#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <caf/actor_control_block.hpp>
#include <caf/intrusive_ptr.hpp>

#include <troupe/actors/topic.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/metrics.hpp>

#include "subscriber_list.hpp"
#include "topic_directory.hpp"

namespace troupe::detail {

/// What all handles of a topic refer to: its subscribers, by loop.
///
/// Publishing looks at one counter for each loop, serves the caller's loop in place, and posts to
/// the others where the counter is not zero. A floating publisher serves it in place only if nothing is
/// on its way to the loop: it may have come from another one, behind its own publications.
class topic_state {
public:
  explicit topic_state(const topic_home& home);
  topic_state(const topic_home& home, std::string name,
              caf::intrusive_ptr<topic_directory> directory);
  ~topic_state();
  topic_state(const topic_state&) = delete;
  topic_state& operator=(const topic_state&) = delete;

  // -- from any thread --------------------------------------------------------------------------

  void subscribe(const caf::strong_actor_ptr& who);
  void unsubscribe(const caf::strong_actor_ptr& who);
  void publish(const shared_bytes& bytes, const caf::abstract_actor* left_out);
  void observe_drops(const caf::actor& who);
  [[nodiscard]] std::size_t subscribers() const noexcept;
  [[nodiscard]] caf::actor_system& system() const noexcept { return home_.system; }

  /// Tells whether its runtime is still there; what concerns subscribers does nothing otherwise.
  [[nodiscard]] bool alive() const noexcept { return home_.alive->load(std::memory_order_acquire); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Adds a reference, unless the last one is gone already.
  [[nodiscard]] bool try_hold() const noexcept;

  // -- in the thread of the loop in question ----------------------------------------------------

  /// Subscribes a pinned actor: its transport, or for messages if `write` is null.
  void subscribe_here(pinned_actor& who, write_published write);
  void unsubscribe_here(pinned_actor& who) noexcept;

  /// Returns those of `home` that get messages (`readers`), or whose transports are written to.
  [[nodiscard]] subscriber_list& list(event_loop& home, bool readers);

  /// Takes note that one of the subscribers of `home` has gone.
  void left(event_loop& home) noexcept;

private:
  friend void intrusive_ptr_add_ref(const topic_state* state) noexcept;
  friend void intrusive_ptr_release(const topic_state* state) noexcept;

  struct subscribers_of_loop {
    subscriber_list transports;
    subscriber_list readers;
  };

  struct shard {
    std::atomic<std::uint32_t> interested{0};  // subscribers, and those on their way to it
    std::unique_ptr<subscribers_of_loop> here; // of that loop's thread
  };

  void add(const caf::strong_actor_ptr& who, event_loop& home);
  void remove(subscriber* record, event_loop& home) noexcept;
  void add_entry(subscriber* record, const subscriber_entry& entry, event_loop& home);
  [[nodiscard]] std::uint32_t slot_of(const subscriber& record, event_loop& home) const noexcept;
  void deliver_to_transports(event_loop& home, const shared_bytes& bytes,
                             const caf::abstract_actor* left_out);
  void deliver_to_readers(event_loop& home, const shared_bytes& bytes,
                          const caf::abstract_actor* left_out);
  void tell_of_drops(std::size_t bytes, std::vector<caf::actor> missed_by);
  void note_drops(event_loop& home, std::uint64_t subscribers, std::size_t bytes);

  mutable std::atomic<std::size_t> references_{0};
  const topic_home home_;
  std::unique_ptr<shard[]> shards_; // by number of loop
  std::atomic<bool> watched_{false};
  std::mutex observer_mutex_;
  caf::weak_actor_ptr observer_; // guarded by the mutex
  std::optional<metrics::counter>
    drops_; // likewise; made with the first, of a topic that has a name
  const std::string name_;
  const caf::intrusive_ptr<topic_directory> directory_; // null if it has no name
};

} // namespace troupe::detail
