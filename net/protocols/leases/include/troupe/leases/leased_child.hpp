#pragma once

#include <functional>
#include <string>

#include <troupe/actors/supervisor.hpp>
#include <troupe/leases/leases.hpp>

namespace troupe {

/// How a leased child is kept.
struct leased_child_options {
  /// How it is started again here when it crashes while the lease is held. Beyond the intensity the lease is given back,
  /// so that another node may try, and the crash is one for the supervisor that this is a child of.
  std::size_t intensity = 1;
  duration period = std::chrono::seconds(5);
  restart_backoff backoff{};
};

/// Returns the spec of a child that runs on one node at a time: where the lease of this name is held.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(
///   troupe::leased_child(locks, "billing", [](const troupe::lease_view& held) {
///     return troupe::child_spec{.id = "billing", .start = troupe::start_actor<billing>(held)};
///   }));
/// ```
///
/// The child counts as started at once; it waits for the lease, and `make` is called each time that this has been acquired,
/// with what the child may look at it with: it hands on the token with what it writes elsewhere. When the lease is over, the
/// child is told to end (`exit_reason::user_shutdown`); after half of `leases_options::margin` it is killed; then the lease
/// is acquired anew. It is given back when the child has ended, never before. So on a stop of this node another one starts
/// it at once; when this node is killed, stands still or loses its store, after `ttl` and what a look takes.
///
/// What no process can do for itself: code that was stopped in the middle, by SIGSTOP or with its machine, goes on for a
/// moment, until its loop looks at the time. Whoever looks at `lease_view::held` before each act sees the end at once; what
/// is written elsewhere is safe if that checks the token.
///
/// A child that ends by itself, and is not to be started again, gives the lease back, and with it ends.
///
/// \param locks  outlives the supervisor's children
/// \param id     among its supervisor's children; empty: as the name
[[nodiscard]] child_spec leased_child(leases& locks, std::string name,
                                      std::function<child_spec(const lease_view&)> make,
                                      leased_child_options options = {}, std::string id = {});

/// As above, for a child that does not look at its lease.
[[nodiscard]] child_spec leased_child(leases& locks, std::string name, child_spec spec,
                                      leased_child_options options = {}, std::string id = {});

} // namespace troupe
