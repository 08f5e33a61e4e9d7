#include "stream_socket.hpp"

#include <cerrno>
#include <cstring>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include "closing_socket.hpp"

namespace troupe::detail {

namespace {

asio::generic::stream_protocol protocol_of(const sockaddr_storage& a) {
  return {a.ss_family, a.ss_family == AF_UNIX ? 0 : IPPROTO_TCP};
}

sockaddr_storage local_address(int fd) {
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
  return local;
}

void set_flag(int fd, int level, int option, bool on) {
  const int value = on ? 1 : 0;
  ::setsockopt(fd, level, option, &value, sizeof value);
}

bool get_flag(int fd, int level, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, level, option, &value, &length) == 0 && value != 0;
}

} // namespace

stream_socket::stream_socket(event_loop& loop, unique_fd fd, const connection_ends& ends,
                             const output_limits& limits)
  : stream_transport(loop, asio::use_service<loop_memory>(loop.io()).chunks, limits),
    socket_(loop.io()), memory_(asio::use_service<loop_memory>(loop.io())), peer_(ends.peer) {
  const auto local = local_address(fd.get());
  host_ = ends.told ? ends.host : socket_address{local};
  over_unix_ = local.ss_family == AF_UNIX;
  told_ = ends.told;
  socket_.assign(protocol_of(local), fd.get());
  static_cast<void>(fd.release());
}

stream_socket::~stream_socket() {
  drop_bulk();
}

// -- output -------------------------------------------------------------------------------------

std::size_t stream_socket::send(std::span<const iovec> pieces, std::error_code& ec) noexcept {
  for (;;) {
    ssize_t sent;
    if (pieces.size() == 1) {
      sent = ::send(socket_.native_handle(), pieces[0].iov_base, pieces[0].iov_len,
                    MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = pieces.size();
      sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    if (sent >= 0) {
      loop().count_sent(static_cast<std::size_t>(sent));
      return static_cast<std::size_t>(sent);
    }
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
      ec.assign(errno, std::system_category());
    return 0;
  }
}

void stream_socket::wait_writable() {
  waiting_ = true;
  socket_.async_wait(asio::socket_base::wait_write, [this](const asio::error_code&) {
    waiting_ = false;
    if (connected())
      return writable();
    release();
  });
}

void stream_socket::shut_write() noexcept {
  ::shutdown(socket_.native_handle(), SHUT_WR);
}

// -- input --------------------------------------------------------------------------------------

void stream_socket::start_reading() {
  if (reading_ || resting_)
    return;
  reading_ = true;
  if (held_ > 0 || ended_) {
    // Not at once: the protocol is in the middle of the call that resumed us.
    asio::post(socket_.get_executor(), [this] {
      reading_ = false;
      if (!connected())
        return release();
      if (!wants_input())
        return;
      if (held_ > 0)
        deliver(std::exchange(held_, 0));
      else
        read_ended(); // nothing more comes, and the system does not tell an end twice
    });
    return;
  }
  const auto into =
    bulk_ != nullptr ? asio::buffer(bulk_, loop_memory::read_bytes) : asio::buffer(small_);
  socket_.async_read_some(into, read_handler{this});
}

void stream_socket::on_read(const asio::error_code& ec, std::size_t count) {
  reading_ = false;
  if (!connected())
    return release();
  if (ec == asio::error::operation_aborted)
    return;
  if (ec == asio::error::eof) {
    ended_ = true;
    if (wants_input()) // else paused, and told when reading is resumed; or closing anyway
      read_ended();
    return;
  }
  if (ec)
    return broken(ec);
  if (wants_input())
    return deliver(count);
  if (!disconnecting())
    held_ = static_cast<std::uint32_t>(count); // paused while this read was under way
}

void stream_socket::deliver(std::size_t count) {
  bytes_view data{bulk_ != nullptr ? bulk_ : small_.data(), count};
  std::error_code error; // the system tells it once: the next read would find a clean end
  if (bulk_ == nullptr && count == small_bytes) {
    auto* const scratch = memory_.scratch();
    const auto more = ::recv(socket_.native_handle(), scratch + count,
                             loop_memory::read_bytes - count, MSG_DONTWAIT);
    if (more > 0) { // an end is met again by the next read
      std::memcpy(scratch, small_.data(), count);
      data = {scratch, count + static_cast<std::size_t>(more)};
      bulk_ = memory_.take_bulk();
    } else if (more < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      error.assign(errno, std::system_category());
    }
  } else if (bulk_ != nullptr && count <= small_bytes) {
    std::memcpy(small_.data(), bulk_, count);
    data = {small_.data(), count};
    drop_bulk();
  }
  rest();
  loop().count_received(data.size());
  received(data);
  if (error && connected())
    broken(error);
}

// The next read is begun behind the flush. Asio tries it at once, and the peer may have answered by
// then; before the flush, it surely would be a system call for nothing. Nor may it overwrite what
// the protocol looks at when that pauses and resumes.
void stream_socket::rest() {
  resting_ = true;
  loop().after_flush(*this);
}

void stream_socket::turn_flushed() noexcept {
  resting_ = false;
  if (!connected())
    return release();
  if (wants_input())
    start_reading();
}

void stream_socket::drop_bulk() noexcept {
  if (auto* const buffer = std::exchange(bulk_, nullptr))
    memory_.give_bulk(buffer);
}

// -- the rest -----------------------------------------------------------------------------------

void stream_socket::close(bool reset) noexcept {
  asio::error_code ignored;
  if (reset) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  } else if (!ended_ && peer_sends()) {
    unique_fd fd{socket_.release(ignored)};
    if (!ignored)
      return close_while_peer_sends(loop(), std::move(fd));
  }
  socket_.close(ignored);
}

// Tells whether closing now would destroy what we have sent, and takes away what the peer has sent. A
// UNIX socket destroys nothing; but with input in it, its other end would be told of a reset.
// In the middle of a bulk or of a handshake more is on its way: to a client, a handshake of TLS 1.3 is
// over, and it speaks, before the server has refused it.
bool stream_socket::peer_sends() noexcept {
  std::size_t ignored = 0;
  const auto found = discard_input(socket_.native_handle(), ignored);
  return !over_unix_
         && (found == discarded::some
             || (found == discarded::nothing && (bulk_ != nullptr || handshaking())));
}

std::optional<peer_credentials> stream_socket::get_peer_credentials() const {
  ucred who{};
  socklen_t size = sizeof who;
  if (!over_unix_ || told_ // then they are the proxy's
      || ::getsockopt(const_cast<stream_socket*>(this)->socket_.native_handle(), SOL_SOCKET,
                      SO_PEERCRED, &who, &size)
           != 0)
    return std::nullopt;
  return peer_credentials{who.pid, who.uid, who.gid};
}

void stream_socket::set_tcp_no_delay(bool on) {
  set_flag(socket_.native_handle(), IPPROTO_TCP, TCP_NODELAY, on);
}

bool stream_socket::get_tcp_no_delay() const {
  return get_flag(const_cast<stream_socket*>(this)->socket_.native_handle(), IPPROTO_TCP,
                  TCP_NODELAY);
}

void stream_socket::set_tcp_keep_alive(bool on) {
  set_flag(socket_.native_handle(), SOL_SOCKET, SO_KEEPALIVE, on);
}

bool stream_socket::get_tcp_keep_alive() const {
  return get_flag(const_cast<stream_socket*>(this)->socket_.native_handle(), SOL_SOCKET,
                  SO_KEEPALIVE);
}

} // namespace troupe::detail
