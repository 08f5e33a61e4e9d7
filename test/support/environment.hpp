#pragma once

#include <cstddef>
#include <cstdlib>

namespace troupe::testing {

/// Returns the number that an environment variable holds, or `otherwise`.
inline std::size_t number_from(const char* variable, std::size_t otherwise) {
  const auto* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

} // namespace troupe::testing
