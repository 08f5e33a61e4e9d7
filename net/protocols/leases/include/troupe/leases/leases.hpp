#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/leases/lease.hpp>
#include <troupe/leases/lease_errc.hpp>
#include <troupe/leases/lease_store.hpp>
#include <troupe/runtime/basic_actor.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class runtime;

namespace detail {
class lease_core;
} // namespace detail

/// By what times leases are kept. All programs that share a store may have their own.
struct leases_options {
  /// What others are told of who has a lease; what tells two programs from each other is added. 100 bytes at most.
  std::string node = "node";

  /// How long others wait, from the last renewal that they have seen, before they take a lease over.
  duration ttl = std::chrono::seconds(5);

  /// So long before that could happen, a lease that could not be renewed is over here: for what it was for to end, and for
  /// steady clocks that do not run alike.
  duration margin = std::chrono::seconds(1);

  /// How often a lease is renewed; how often one that another has is looked at.
  duration renew_every = std::chrono::seconds(1);
  duration look_every = std::chrono::milliseconds(500);

  /// How long the store may take for an answer.
  duration patience = std::chrono::seconds(1);
};

/// How a lease is acquired.
struct acquire_options {
  /// How long to wait for it at most, the way to the store included.
  duration wait = duration::max();

  /// Called once, as the actor, when the lease is over or asked back, unless it was released before. The reason is
  /// `lease_errc::lost`, or `errc::runtime_stopped`: then it is still held until it is released, and should be soon.
  std::function<void(const failure&)> lost{};
};

/// What all leases of a `leases` have come to. All but `held` only grow.
struct leases_counters {
  std::size_t held = 0;
  std::uint64_t acquired = 0;
  std::uint64_t lost = 0;
  std::uint64_t renewed = 0;
  std::uint64_t store_failures = 0; ///< answers of the store that were failures
};

/// Leases by name: of all programs that share a store, one has each at a time.
///
/// ```cpp
/// troupe::leases locks{rt, std::make_shared<troupe::sqlite_leases>(options), {.node = "chat-1"}};
/// locks.acquire(*this, "billing", {.lost = [this](const troupe::failure& why) { stop_billing(why); }})
///   .add_callback([this](troupe::lease got) { lease_ = std::move(got); start_billing(lease_.token()); });
/// ```
///
/// Whoever has one keeps it by renewing, which happens by itself, and has it until it is released, or until it is lost:
/// another has it, for this process stood still, or the store could not be reached. That is told `margin` before another can
/// have it, by steady clocks; the date does not matter. Of those who ask in one process, the first gets it first.
///
/// When the runtime stops, leases are asked back while everything still works, and given back, so that another node need not
/// wait.
///
/// Lifetime: `rt` outlives it, unless `rt` has stopped or never ran. Thread: the constructor, the destructor and `give_back`: loop 0, or before and after `run()`;
/// the rest: any.
class leases {
public:
  /// \throws std::invalid_argument if an option makes no sense; its text says which one
  /// \throws std::system_error of `lease_errc` if the store cannot be used
  leases(runtime& rt, lease_store_ref store, leases_options options = {});
  ~leases();
  leases(const leases&) = delete;
  leases& operator=(const leases&) = delete;

  /// Asks for a lease. The deferred fires as `self`, with a lease that is held. Cancelling it, or the end of the actor, ends
  /// the attempt.
  ///
  /// \param name  1 to 200 bytes
  /// Fails with: `lease_errc::held_elsewhere`, or why the store was not to be reached, if that was so for as long as `wait`;
  /// `errc::invalid_argument` for such a name; `errc::runtime_stopped`
  /// Thread: that of `self`, in its own code.
  deferred<lease> acquire(basic_actor& self, std::string_view name, acquire_options options = {});

  /// Asks all leases back, and gives none from now on: what a program does before it leaves, as at the end of the runtime.
  /// The children of `leased_child` end first. With a cluster it belongs to what a drain does:
  ///
  /// ```cpp
  /// cluster.before_leaving([&locks] { return locks.give_back(); });
  /// ```
  ///
  /// \returns what fires when all have been given back, or after `margin`, when those that are left end by themselves
  [[nodiscard]] deferred<void> give_back();

  [[nodiscard]] leases_counters counters() const noexcept;
  [[nodiscard]] const leases_options& options() const noexcept;

  /// Returns what others see as the holder: the name of the node, and what tells this program from others.
  [[nodiscard]] const std::string& holder() const noexcept;

private:
  const std::shared_ptr<detail::lease_core> core_;
};

} // namespace troupe
