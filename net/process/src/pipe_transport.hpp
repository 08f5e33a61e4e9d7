#pragma once

#include <troupe/net/detail/stream_transport.hpp>

#include <troupe/runtime/detail/operation_room.hpp>

#include "child_watch.hpp"
#include "loop_memory.hpp"
#include "unique_fd.hpp"

namespace troupe::detail {

/// A transport over two descriptors, one that is read from and one that is written to: pipes,
/// terminals, files, sockets. What never has to be waited for, such as a file, is read in portions,
/// with a turn of the loop between them.
///
/// That nobody reads what is written is noticed by a write.
class pipe_transport : public stream_transport {
public:
  /// \param in, out  must not block where they can be waited for
  /// \throws std::system_error if the system has no room to watch them
  pipe_transport(event_loop& loop, unique_fd in, unique_fd out, const output_limits& limits);

  [[nodiscard]] net_address get_peer() const override { return {}; }
  [[nodiscard]] net_address get_host() const override { return {}; }

protected:
  ~pipe_transport() override;
  std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept override;
  void shut_write() noexcept override;
  void close(bool reset) noexcept override;

  /// Nothing more will come in.
  virtual void input_ended() { read_ended(); }

private:
  void wait_writable() final;
  void start_reading() final;
  [[nodiscard]] bool busy() const noexcept final { return reading_ || waiting_; }
  void take_input();

  loop_memory& memory_;
  loop_descriptor in_;
  loop_descriptor out_;
  operation_room reads_;
  operation_room writes_;
  bool reading_ = false; // a wait for input is outstanding
  bool waiting_ = false; // a wait for writing is
};

} // namespace troupe::detail
