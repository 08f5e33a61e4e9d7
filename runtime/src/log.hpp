#pragma once

#include <exception>
#include <string>

#include <spdlog/logger.h>

namespace troupe::detail {

/// Returns what the exception says of itself.
std::string describe(const std::exception_ptr& e);

/// Logs the exception that is being handled. `owner` names whose code it left.
void log_uncaught(spdlog::logger& logger, const char* owner) noexcept;

} // namespace troupe::detail
