#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

#include <caf/fwd.hpp>

namespace troupe::detail {

/// Returns how many messages wait for an actor of this process that has a bound (`bound_mailbox`), the one that
/// it handles included; it stays readable when the actor has gone. Null if it has none: nobody but an actor
/// itself knows then.
///
/// Thread: any, as are reads of the count.
[[nodiscard]] std::shared_ptr<const std::atomic<std::size_t>>
mailbox_gauge(const caf::abstract_actor& actor);

} // namespace troupe::detail
