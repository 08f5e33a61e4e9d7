#pragma once

#include <caf/actor_system_config.hpp>

#include <troupe/runtime/options.hpp>

namespace troupe::detail {

/// \throws std::invalid_argument if one of `options` makes no sense; the text names it
void check(const runtime_options& options);

/// CAF's configuration with the runtime's options, so that the scheduler module can find them.
struct system_config : caf::actor_system_config {
  explicit system_config(runtime_options o);
  runtime_options options;
};

} // namespace troupe::detail
