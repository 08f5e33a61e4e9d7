#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe::detail {

/// A part of a file: `size` bytes, at least one, from `begin` on.
struct file_range {
  std::uint64_t begin;
  std::uint64_t size;
  friend bool operator==(const file_range&, const file_range&) = default;
};

/// Reads the field Range for a file of `size` bytes.
///
/// \returns the parts, in the order in which they were asked for; none if no part is in the file (416);
///          nothing if the field is to be ignored: of another unit, not to be understood, or asking for
///          more than is reasonable (more than 10 parts, some twice, or more than the file twice)
/// Source: RFC 9110, 14.1.2 and 14.2
[[nodiscard]] std::optional<std::vector<file_range>> parse_ranges(std::string_view field,
                                                                  std::uint64_t size);

} // namespace troupe::detail
