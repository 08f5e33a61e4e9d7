#include "pipe_transport.hpp"

#include <sys/socket.h>

#include "fd_io.hpp"

namespace troupe::detail {

pipe_transport::pipe_transport(event_loop& loop, unique_fd in, unique_fd out,
                               const output_limits& limits)
  : stream_transport(loop, asio::use_service<loop_memory>(loop.io()).chunks, limits),
    memory_(asio::use_service<loop_memory>(loop.io())), in_(loop.io()), out_(loop.io()) {
  in_.assign(in.get());
  static_cast<void>(in.release());
  out_.assign(out.get());
  static_cast<void>(out.release());
}

pipe_transport::~pipe_transport() = default;

std::size_t pipe_transport::send(std::span<const iovec> pieces, std::error_code& ec) noexcept {
  const auto sent = write_some(out_.native_handle(), pieces, ec);
  loop().count_sent(sent);
  return sent;
}

void pipe_transport::wait_writable() {
  waiting_ = true;
  out_.async_wait(asio::posix::descriptor_base::wait_write,
                  writes_.with([this](const asio::error_code&) {
                    waiting_ = false;
                    if (connected())
                      return writable();
                    release();
                  }));
}

// Asio answers at once, with an error, for what the system does not wait for: it never blocks.
void pipe_transport::start_reading() {
  if (reading_)
    return;
  reading_ = true;
  in_.async_wait(asio::posix::descriptor_base::wait_read,
                 reads_.with([this](const asio::error_code&) {
                   reading_ = false;
                   if (!connected())
                     return release();
                   if (wants_input())
                     take_input();
                 }));
}

void pipe_transport::take_input() {
  std::error_code ec;
  auto* const into = memory_.scratch();
  const auto count = read_some(in_.native_handle(), {into, loop_memory::read_bytes}, ec);
  if (ec)
    return broken(ec);
  if (count == 0)
    return input_ended();
  if (count > 0) {
    loop().count_received(static_cast<std::size_t>(count));
    received({into, static_cast<std::size_t>(count)});
  }
  if (wants_input()) // what was closed meanwhile lives until the end of the turn
    start_reading();
}

void pipe_transport::shut_write() noexcept {
  // A socket stays open for as long as another descriptor names it, the one that is read from too.
  ::shutdown(out_.native_handle(), SHUT_WR);
  asio::error_code ignored;
  out_.close(ignored);
}

void pipe_transport::close(bool) noexcept {
  asio::error_code ignored;
  in_.close(ignored);
  out_.close(ignored);
}

} // namespace troupe::detail
