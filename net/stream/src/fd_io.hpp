#pragma once

#include <cstddef>
#include <span>
#include <system_error>

#include <sys/types.h>
#include <sys/uio.h>

namespace troupe::detail {

/// Reads from a descriptor that does not block.
///
/// \returns how many bytes; 0 at the end; -1 if there is nothing now, or, with `ec`, an error
ssize_t read_some(int fd, std::span<std::byte> into, std::error_code& ec) noexcept;

/// Writes to a descriptor that does not block. A peer that is gone is an error, and no SIGPIPE.
///
/// \returns how many bytes were taken, 0 if none can be taken now
std::size_t write_some(int fd, std::span<const iovec> pieces, std::error_code& ec) noexcept;

} // namespace troupe::detail
