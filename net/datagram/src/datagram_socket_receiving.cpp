// How a port of datagrams receives: a batch a turn, handed over one by one.
#include "datagram_socket.hpp"

#include <cerrno>
#include <chrono>

#include <asio/post.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

constexpr auto pause_without_memory = std::chrono::milliseconds(100);

} // namespace

void datagram_socket::wait_readable() {
  socket_->async_wait(asio::posix::descriptor_base::wait_read,
                      waiting_.with([self = shared_from_this()](const asio::error_code& ec) {
                        if (!ec && self->takes_output())
                          self->receive();
                      }));
}

// Called by handlers that keep this object.
void datagram_socket::receive() {
  const auto count = memory_.receive(fd(), limits_.max_packet_size);
  more_there_ = false;
  if (count < 0)
    return receive_failed(errno);
  short_ = false;
  more_there_ = static_cast<std::size_t>(count) == memory_.batch_of(limits_.max_packet_size);
  protocol_->enter("datagram_received", [&] { deliver(count); });
  rest();
}

void datagram_socket::deliver(int count) {
  auto& p = *protocol_;
  for (int i = 0; i < count && takes_output(); ++i) {
    if (peer_.length != 0 && !memory_.from(i, peer_)) {
      ++counters_.strangers;
      continue;
    }
    ++counters_.received;
    loop_.count_received(memory_.data(i).size());
    if (memory_.truncated(i))
      ++counters_.truncated;
    try {
      if (!p.deliver(memory_.data(i), memory_.sender(i)))
        return;
    } catch (...) { // no memory to say who sent it: one datagram is lost, and not the port
      ++counters_.lost;
    }
  }
}

void datagram_socket::receive_failed(int error) {
  switch (error) {
  case EAGAIN:
    break;
  case ECONNREFUSED:
    more_there_ = true;
    note_refusal();
    break;
  case EINTR: // and what the network says of a datagram that was sent: it is told once
  case ECONNRESET:
  case EHOSTDOWN:
  case EHOSTUNREACH:
  case EMSGSIZE:
  case ENETDOWN:
  case ENETUNREACH:
  case ENOPROTOOPT:
  case EPERM:
  case EPROTO:
  case ETIMEDOUT:
    more_there_ = true;
    break;
  default: // no memory: to try at once would keep the loop busy
    return pause_receiving(error);
  }
  rest();
}

void datagram_socket::pause_receiving(int error) noexcept {
  try {
    protocol_->call_later(pause_without_memory, [self = shared_from_this()] {
      if (self->takes_output())
        self->receive();
    });
  } catch (...) { // not even memory for that: to be busy is better than to be deaf
    wait_readable();
  }
  try {
    if (!std::exchange(short_, true)) // once, for it may last
      loop_.scheduler().logger().error("{}: cannot receive, trying again every {} ms: {}",
                                       get_host().to_string(), pause_without_memory.count(),
                                       std::system_category().message(error));
  } catch (...) { // there will be another
  }
}

// The next batch is received behind the flush: what the peers answer to it may be there by then,
// and other ports have had their turn.
void datagram_socket::rest() {
  if (!takes_output() || resting_)
    return;
  resting_ = shared_from_this();
  loop_.after_flush(*this);
}

void datagram_socket::turn_flushed() noexcept {
  const auto self = std::exchange(resting_, nullptr);
  if (!takes_output())
    return;
  if (!more_there_)
    return wait_readable();
  asio::post(socket_->get_executor(), waiting_.with([self] {
    if (self->takes_output())
      self->receive();
  }));
}

} // namespace troupe::detail
