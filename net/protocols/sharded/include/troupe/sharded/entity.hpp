#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <caf/message.hpp>

#include <troupe/leases/lease.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe {

namespace detail {
class sharded_core;

/// Which one of those that were started on this node an entity is.
struct entity_place {
  std::weak_ptr<sharded_core> core{};
  std::uint32_t shard = 0;
  std::uint64_t number = 0;
};
} // namespace detail

/// Why an entity is to end on its node.
enum class entity_end : std::uint8_t {
  idle,    ///< nobody has sent it anything for `sharded_options::idle_after`
  moved,   ///< another node is to have it
  stopped, ///< its node leaves the cluster or stops, and there is nobody who could have it
};

[[nodiscard]] std::string_view to_string(entity_end why) noexcept;

/// What an entity begins with: `sharded` makes it, and the constructor hands it on.
struct entity_start {
  std::string key;
  caf::message
    state{}; ///< what its predecessor has handed over; empty if that has not, or there was none
  lease_view held{}; ///< of its shard; of no lease if there is no store of leases
  detail::entity_place place{};
};

/// An actor for one key: base class of what `sharded` starts.
///
/// ```cpp
/// class room : public troupe::entity {
/// public:
///   room(caf::actor_config& cfg, troupe::entity_start begin) : entity(cfg, std::move(begin)) {
///     if (auto& state = this->state(); state.match_elements<std::vector<std::string>>())
///       lines_ = state.get_as<std::vector<std::string>>(0);
///   }
///   caf::behavior make_behavior() override { ... }
/// protected:
///   troupe::deferred<caf::message> hand_over(troupe::entity_end) override {
///     return troupe::succeed(caf::make_message(lines_));
///   }
/// };
/// ```
///
/// It is constructed on loop 0 and runs on a loop that its key decides. It ends when it has been idle, when it moves, or by
/// itself (`quit`); the next message starts it anew, here or on another node. What is to outlast a node that is lost
/// belongs into a store: a history, a database.
///
/// Thread: its loop's.
class entity : public pinned_actor {
public:
  entity(caf::actor_config& cfg, entity_start begin);
  ~entity() override;

  /// Returns its key. Thread: any.
  [[nodiscard]] const std::string& key() const noexcept { return begin_.key; }

  /// Returns the lease of its shard: `held()` tells whether it may still act, and `token()` is what it hands on with
  /// what it writes elsewhere. Never held if there is no store of leases. Thread: any.
  [[nodiscard]] const lease_view& lease() const noexcept { return begin_.held; }

  [[nodiscard]] std::string log_name() const override;
  [[nodiscard]] actor_description describe() const override;

  // -- CAF's side -------------------------------------------------------------------------------

  void initialize() override;
  using pinned_actor::consume;
  caf::invoke_message_result consume(caf::mailbox_element& x) override;

protected:
  /// Returns what its predecessor has handed over; empty if nothing was.
  [[nodiscard]] caf::message& state() noexcept { return begin_.state; }

  /// Called once, behind all messages that it has got, before it ends for a reason that lets it: what fires is its state for
  /// the successor, if it moves, and is dropped otherwise. It ends when that has fired, whatever it fires with. After
  /// `sharded_options::hand_over_within` it is killed. Not called when the lease is lost, nor when it ends by itself.
  ///
  /// The message travels as those of `ask` do. Empty (as it is unless overridden): the successor reads it back itself,
  /// when somebody asks for it.
  virtual deferred<caf::message> hand_over(entity_end why);

  /// Called with the state of another entity of this key, which has run beside this one, or was handed over while this
  /// one had begun: after a split, without leases. Does nothing unless overridden; the other one has ended.
  virtual void merge(caf::message other);

  /// Ends soon, as if it had been idle: `hand_over`, behind what is in its mailbox.
  void sleep();

  /// Whether it may be put to sleep when it is idle.
  [[nodiscard]] virtual bool may_sleep() const { return true; }

  void stop_requested() override;

private:
  friend class detail::sharded_core;

  void let_go(entity_end why);
  void look_whether_idle();

  entity_start begin_;
  duration idle_after_{};
  time_point used_{};
  delayed_call idle_;
  bool going_ = false; // is handing over
};

} // namespace troupe
