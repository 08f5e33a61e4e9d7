#pragma once

#include <vector>

#include <troupe/net/file_descriptor.hpp>
#include <troupe/runtime/delayed_call.hpp>

#include "stream_socket.hpp"

namespace troupe::detail {

/// A transport over a connected UNIX socket: it carries descriptors beside the bytes.
///
/// Sending: a descriptor waits at its place in the output, and leaves in one message with the bytes
/// behind that place. Reading: for a protocol that takes descriptors, by `recvmsg` once the socket is
/// readable; for any other as over TCP, and then the system closes what comes.
class unix_socket final : public stream_socket {
public:
  using stream_socket::stream_socket;

  std::error_code send_file_descriptor(file_descriptor fd) override;

private:
  struct departure {
    std::size_t gap; // bytes to be sent between the one before and this
    file_descriptor fd;
  };

  ~unix_socket() override;
  std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept override;
  void wait_writable() override;
  void start_reading() override;
  void close(bool reset) noexcept override;
  [[nodiscard]] bool busy() const noexcept override { return watching_ || stream_socket::busy(); }

  std::size_t send_with(std::span<const iovec> pieces, std::size_t count,
                        std::error_code& ec) noexcept;
  void resume();
  void take_input();
  void hand_over(bytes_view data);

  std::vector<departure> leaving_;
  std::size_t distance_ = 0; // bytes to be sent before the last of them
  delayed_call retry_;       // sends again
  int crowded_ = 0;          // refusals in a row because too many are on the way
  file_descriptor_receiver* receiver_ = nullptr; // the protocol, if it is one
  bool asked_ = false;                           // whether it is one
  bool watching_ = false;                        // a wait for input, or a call, is outstanding
  std::vector<file_descriptor> came_;            // not handed over yet
  std::vector<std::byte> kept_; // came with those, when reading was paused among them
};

} // namespace troupe::detail
