#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/actor_control_block.hpp>
#include <caf/intrusive_ptr.hpp>

#include <troupe/actors/topic.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/metrics.hpp>

#include "topic_directory.hpp"
#include "topic_subscribers.hpp"

namespace troupe::detail {

struct subscriber;
class published_message;

/// What all handles of a topic refer to: who subscribes, and how they get what is published.
///
/// Publishing looks at one counter for each loop, serves the caller's loop in place, and posts to
/// the others where the counter is not zero. A floating publisher serves it in place only if nothing is
/// on its way to the loop: it may have come from another one, behind its own publications.
class topic_state final : public topic_subscribers {
public:
  explicit topic_state(const topic_home& home);
  topic_state(const topic_home& home, std::string name,
              caf::intrusive_ptr<topic_directory> directory);
  ~topic_state() override;

  // -- from any thread --------------------------------------------------------------------------

  void subscribe(const caf::strong_actor_ptr& who);
  void unsubscribe(const caf::strong_actor_ptr& who);
  void publish(const shared_bytes& bytes, const caf::abstract_actor* left_out);
  void publish(std::string_view text, const caf::abstract_actor* left_out);

  /// As `publish`, but to the subscribers of this process only. Whoever calls it holds the topic.
  void publish_here(const shared_bytes& bytes, const caf::abstract_actor* left_out);

  /// What the carrier of shared topics said: who else wants this one, or null.
  [[nodiscard]] void* elsewhere() const noexcept {
    return elsewhere_.load(std::memory_order_relaxed);
  }
  void set_elsewhere(void* mark) noexcept { elsewhere_.store(mark, std::memory_order_relaxed); }
  void observe_drops(const caf::actor& who);
  [[nodiscard]] topic handle() { return topic{caf::intrusive_ptr{this}}; }
  [[nodiscard]] caf::actor_system& system() const noexcept { return home_.system; }

  /// Tells whether its runtime is still there; what concerns subscribers does nothing otherwise.
  [[nodiscard]] bool alive() const noexcept { return home_.alive->load(std::memory_order_acquire); }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // -- in the thread of the loop in question ----------------------------------------------------

  /// Subscribes a pinned actor: its transport, or for messages if `write` is null.
  void subscribe_here(pinned_actor& who, write_published write);
  void unsubscribe_here(pinned_actor& who) noexcept;

  /// Writes to the transports of `home`. Their producers may drop the last handle, so whoever calls this holds one.
  void deliver_to_transports(event_loop& home, const shared_bytes& bytes,
                             const caf::abstract_actor* left_out);

  /// Has the readers of `home` handle what was published. Called by the loop, never inside another actor's code.
  ///
  /// \param message  what they get; whoever has several publications passes the same one for all
  void deliver_to_readers(event_loop& home, shared_bytes bytes, published_message& message,
                          const caf::abstract_actor* left_out);

  /// The same for what nobody has as shared bytes yet.
  void deliver_to_readers(event_loop& home, bytes_view bytes, published_message& message);

private:
  void give_to_readers(event_loop& home, published_message& message,
                       const caf::abstract_actor* left_out);
  void interest_changed() noexcept override;
  void publish_elsewhere(bytes_view bytes);
  void carry(bytes_view bytes);
  [[noreturn]] void refuse_length(std::size_t size) const;
  void add(const caf::strong_actor_ptr& who, event_loop& home);
  void remove(subscriber* record, event_loop& home) noexcept;
  void add_entry(subscriber* record, const subscriber_entry& entry, event_loop& home);
  [[nodiscard]] std::uint32_t slot_of(const subscriber& record, event_loop& home) const noexcept;
  void tell_of_drops(std::size_t bytes, std::vector<caf::actor> missed_by);
  void note_drops(event_loop& home, std::uint64_t subscribers, std::size_t bytes);

  const topic_home home_;
  std::atomic<void*> elsewhere_{nullptr};
  const std::size_t longest_; // of a publication
  std::atomic<bool> watched_{false};
  std::mutex observer_mutex_;
  caf::weak_actor_ptr observer_; // guarded by the mutex
  std::optional<metrics::counter>
    drops_; // likewise; made with the first, of a topic that has a name
  const std::string name_;
  const caf::intrusive_ptr<topic_directory> directory_; // null if it has no name
};

} // namespace troupe::detail
