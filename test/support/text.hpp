#pragma once

#include <string>

#include <troupe/runtime/failure.hpp>

namespace troupe::testing {

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// Returns what a failure of a bare code says.
inline std::string text_of(errc code) {
  return failure{code}.message();
}

} // namespace troupe::testing
