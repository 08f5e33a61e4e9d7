#pragma once

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

namespace troupe::testing {

/// Ends a test whose own means have failed it. \throws std::runtime_error with `errno`'s text
[[noreturn]] inline void system_failure(const std::string& who, const std::string& what) {
  throw std::runtime_error(who + ": " + what + ": " + std::strerror(errno));
}

} // namespace troupe::testing
