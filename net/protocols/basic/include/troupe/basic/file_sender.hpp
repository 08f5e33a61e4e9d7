#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <troupe/net/file_descriptor.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

/// How a file is sent.
struct send_file_options {
  /// How many bytes are read at once, and so are about the most that wait in the transport.
  /// Source: FileSender.CHUNK_SIZE, 16 KiB
  std::size_t chunk = 64 * 1024;

  /// How many bytes are sent at most; nothing: up to the end of the file.
  std::optional<std::uint64_t> count{};

  /// Changes each chunk before it is sent, on the loop; it may return as many bytes as it likes.
  std::function<std::string(std::string)> transform{};
};

/// What was sent.
struct sent_file {
  std::uint64_t bytes = 0;  ///< behind `transform`
  std::optional<char> last; ///< of these; nothing if there were none
};

/// Sends what `file` has, from its present position on, through the connection of `p`, as fast as the
/// peer takes it.
///
/// Reading happens in a thread of the pool, so a slow disk keeps nobody waiting; at most one read is
/// under way, and at most one chunk waits in the transport besides what was read ahead. A pipe works
/// as well, and occupies that thread while it has nothing.
///
/// The transport has this as its pull producer meanwhile: what the protocol writes comes between the
/// chunks. `file` is closed when it is over, whatever ends it.
///
/// ```cpp
/// void connection_made() override {
///   troupe::send_file(*this, troupe::file_descriptor{::open(path_, O_RDONLY | O_CLOEXEC)})
///     .add_callback([this](const troupe::sent_file&) { transport().lose_connection(); });
/// }
/// ```
///
/// \returns a deferred that fires when the last byte has been handed to the system. Cancelling it
///          stops the sending, behind what is written already
/// \throws std::logic_error if `p` has no connection, or that has a producer already
/// Fails with: `errc::not_connected`, "Consumer asked us to stop producing", if the connection ends or
/// closes; what the system says of a read; what `transform` throws. What has begun to be sent cannot
/// be taken back: close the connection.
/// Thread: that of the loop of `p`.
/// Source: twisted.protocols.basic.FileSender.beginFileTransfer
deferred<sent_file> send_file(protocol& p, file_descriptor file, send_file_options options = {});

} // namespace troupe
