#pragma once

namespace troupe::detail {

/// Opens /dev/null as each of the descriptors 0 to 2 that is closed. Else whatever is opened next
/// would get these numbers, and be taken for standard input, output or errors by the rest of the
/// program.
///
/// \throws std::system_error if /dev/null cannot be opened
/// Thread: any.
void open_standard_descriptors();

/// Tells whether a descriptor is closed, or only open because of the above.
///
/// Thread: any.
[[nodiscard]] bool is_closed(int fd) noexcept;

} // namespace troupe::detail
