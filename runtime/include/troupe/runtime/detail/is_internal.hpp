#pragma once

#include <caf/fwd.hpp>

namespace troupe::detail {

/// Tells a function that is to run as an actor (`basic_actor::run_as`) from messages. Thread: any.
[[nodiscard]] bool is_internal(const caf::type_erased_tuple& content) noexcept;

} // namespace troupe::detail
