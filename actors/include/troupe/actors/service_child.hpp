#pragma once

#include <functional>
#include <memory>
#include <string>

#include <troupe/actors/child_spec.hpp>
#include <troupe/actors/service.hpp>

namespace troupe {

/// Returns a spec of a supervisor's child that is a service: it has started when the service has, and
/// told to end, it ends when that has stopped. A service that fails to start fails as a child.
///
/// \param make  makes the service anew for each start, on the supervisor's loop
[[nodiscard]] child_spec service_child(std::string id,
                                       std::function<std::shared_ptr<service>()> make,
                                       restart_type restart = restart_type::permanent);

} // namespace troupe
