#pragma once

#include <cstddef>
#include <string>

#include <troupe/net/protocol.hpp>

namespace troupe {

/// One side of a connection that is passed on: what it reads the other side writes.
///
/// Each side reads no faster than the other's peer takes it, so that at most the high-water mark of a
/// transport and one read are held for each direction. When one peer has sent everything, the other is
/// told that behind the last byte, and the reverse direction goes on. When a side ends cleanly, the
/// other gets what was read for it, and is closed; when it breaks or is aborted, so is the other.
///
/// Both sides are on one loop. Before they are joined, what comes is kept up to `max_pending` bytes, and
/// then nothing is read.
///
/// Thread: its loop's. Source: twisted.protocols.portforward.Proxy
class proxy : public protocol, public half_closeable {
public:
  /// How many bytes are kept until there is another side.
  static constexpr std::size_t max_pending = 16 * 1024;

  explicit proxy(caf::actor_config& cfg);

  /// Passes on what came on this side: writes it to the other one unless overridden, which may change
  /// it, look at it, or drop it. Called only while there is another side.
  virtual void forward(bytes_view data);

  /// Joins two connections, and begins to read on both. What was kept is passed on first.
  ///
  /// \throws std::logic_error if one has no connection, is joined already, or they are on different loops
  void join(proxy& other);

  /// Returns the other side; null before it is joined, and once that has ended.
  [[nodiscard]] proxy* other() const noexcept { return other_; }

  void data_received(bytes_view data) override;
  void read_connection_lost() override;
  void write_connection_lost() override {}

  /// An override calls it.
  void connection_lost(const failure& reason) override;

protected:
  void stop_requested() override;

  /// Returns what came and was not passed on.
  [[nodiscard]] const std::string& pending() const noexcept { return pending_; }

  /// Keeps `data` until there is another side.
  void keep(bytes_view data);

private:
  void pass_end_on();
  void other_ended(const failure& reason);

  proxy* other_ = nullptr; // told when this one ends, as this one is
  std::string pending_;
  bool read_ended_ = false;
};

} // namespace troupe
