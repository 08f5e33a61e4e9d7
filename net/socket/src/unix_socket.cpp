#include "unix_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <numeric>

#include <asio/post.hpp>
#include <sys/socket.h>

#include <troupe/net/protocol.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/errc.hpp>

namespace troupe::detail {

namespace {

// The most that the system takes in one message, and gives with one.
constexpr std::size_t most_descriptors = 253; // SCM_MAX_FD of Linux

// Too many descriptors on the way, of all processes of this user: it passes when others receive.
constexpr auto pause_when_crowded = std::chrono::milliseconds(10);
constexpr int most_refusals = 1000; // ten seconds

struct alignas(cmsghdr) control_buffer {
  std::array<std::byte, CMSG_SPACE(most_descriptors * sizeof(int))> bytes;
};

std::size_t size_of(std::span<const iovec> pieces) noexcept {
  return std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                         [](std::size_t n, const iovec& p) { return n + p.iov_len; });
}

/// What is left of some pieces.
class remainder {
public:
  explicit remainder(std::span<const iovec> pieces) noexcept
    : count_(std::min(pieces.size(), all_.size())) {
    std::copy_n(pieces.begin(), count_, all_.begin());
  }

  [[nodiscard]] bool empty() const noexcept { return first_ == count_; }

  /// Returns the first `most` bytes, or all if there are fewer. Good until the next call.
  std::span<const iovec> first(std::size_t most) noexcept {
    std::size_t used = 0;
    for (auto i = first_; i < count_ && most > 0; ++i) {
      part_[used] = {all_[i].iov_base, std::min(all_[i].iov_len, most)};
      most -= part_[used++].iov_len;
    }
    return {part_.data(), used};
  }

  void drop(std::size_t bytes) noexcept {
    while (bytes > 0) {
      auto& piece = all_[first_];
      const auto here = std::min(bytes, piece.iov_len);
      piece = {static_cast<std::byte*>(piece.iov_base) + here, piece.iov_len - here};
      bytes -= here;
      if (piece.iov_len == 0)
        ++first_;
    }
  }

private:
  static constexpr std::size_t most_pieces = 64; // of a call of stream_transport
  std::array<iovec, most_pieces> all_;
  std::array<iovec, most_pieces> part_;
  std::size_t count_;
  std::size_t first_ = 0;
};

} // namespace

unix_socket::~unix_socket() = default;

// -- output -------------------------------------------------------------------------------------

std::error_code unix_socket::send_file_descriptor(file_descriptor fd) {
  if (!fd)
    return errc::invalid_argument;
  if (layer() != nullptr)
    return errc::not_supported;
  if (!accepts_output())
    return errc::not_connected;
  if (leaving_.size() == most_descriptors)
    return errc::queue_overflow;
  const auto before = unsent();
  leaving_.push_back({before - distance_, std::move(fd)});
  distance_ = before;
  return {};
}

std::size_t unix_socket::send(std::span<const iovec> pieces, std::error_code& ec) noexcept {
  if (leaving_.empty()) [[likely]]
    return stream_socket::send(pieces, ec);
  remainder rest{pieces};
  std::size_t sent = 0;
  while (!rest.empty()) {
    const auto next =
      std::find_if(leaving_.begin(), leaving_.end(), [](const departure& d) { return d.gap > 0; });
    const auto count = static_cast<std::size_t>(next - leaving_.begin()); // leave here
    const auto part = rest.first(next != leaving_.end() ? next->gap : SIZE_MAX);
    const auto taken = count > 0 ? send_with(part, count, ec) : stream_socket::send(part, ec);
    if (taken == 0)
      break;
    const bool all = taken == size_of(part);
    if (next != leaving_.end())
      next->gap -= taken;
    distance_ -= std::min(distance_, taken);
    leaving_.erase(leaving_.begin(), leaving_.begin() + static_cast<std::ptrdiff_t>(count));
    rest.drop(taken);
    sent += taken;
    if (!all)
      break;
  }
  return sent;
}

// Sends the first `count` descriptors with the first bytes of `pieces`; together, or none of them.
std::size_t unix_socket::send_with(std::span<const iovec> pieces, std::size_t count,
                                   std::error_code& ec) noexcept {
  control_buffer control;
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(count * sizeof(int));
  auto* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  for (std::size_t i = 0; i < count; ++i) {
    const int fd = leaving_[i].fd.get();
    std::memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
  }
  for (;;) {
    const auto sent = ::sendmsg(socket().native_handle(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      crowded_ = 0;
      loop().count_sent(static_cast<std::size_t>(sent));
      return static_cast<std::size_t>(sent);
    }
    if (errno == EINTR)
      continue;
    if (errno == ETOOMANYREFS && crowded_ < most_refusals)
      ++crowded_;
    else if (errno != EAGAIN && errno != ENOBUFS)
      ec.assign(errno, std::system_category());
    return 0;
  }
}

// A socket that is crowded is writable, as the system sees it: to wait for that would be in vain.
void unix_socket::wait_writable() {
  if (crowded_ == 0)
    return stream_socket::wait_writable();
  // `this` is good while the call is pending: the end of the connection cancels it.
  retry_ = loop().timers().add(event_loop::now() + pause_when_crowded, [this] { writable(); });
}

// -- input --------------------------------------------------------------------------------------

void unix_socket::start_reading() {
  if (!asked_ && served() != nullptr) {
    asked_ = true;
    receiver_ = dynamic_cast<file_descriptor_receiver*>(served());
  }
  if (receiver_ == nullptr)
    return stream_socket::start_reading();
  if (watching_ || resting())
    return;
  watching_ = true;
  if (!came_.empty() || !kept_.empty()) {
    // Not at once: the protocol is in the middle of the call that resumed us.
    asio::post(socket().get_executor(), [this] { resume(); });
    return;
  }
  socket().async_wait(asio::socket_base::wait_read, [this](const asio::error_code&) {
    watching_ = false;
    if (!connected())
      return release();
    if (wants_input())
      take_input();
  });
}

void unix_socket::resume() {
  watching_ = false;
  if (!connected())
    return release();
  if (wants_input())
    hand_over(std::exchange(kept_, {}));
}

void unix_socket::take_input() {
  auto* const into = memory().scratch();
  iovec piece{into, loop_memory::read_bytes};
  control_buffer control;
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const auto count = ::recvmsg(socket().native_handle(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR)
      return start_reading();
    return broken({errno, std::system_category()});
  }
  for (auto* h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
    if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
      continue;
    for (std::size_t at = 0; at + sizeof(int) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      int fd;
      std::memcpy(&fd, CMSG_DATA(h) + at, sizeof fd);
      came_.emplace_back(fd);
    }
  }
  // There is room for all that fit into a message; so it was the process that had none.
  if ((message.msg_flags & MSG_CTRUNC) != 0)
    return broken(std::make_error_code(std::errc::too_many_files_open));
  if (count == 0)
    return read_ended();
  loop().count_received(static_cast<std::size_t>(count));
  hand_over({into, static_cast<std::size_t>(count)});
}

void unix_socket::hand_over(bytes_view data) {
  rest();                 // from here on this object lives until the end of the turn
  if (layer() != nullptr) // nobody has vouched for them
    came_.clear();
  // Each in a call of its own: any may be the last.
  while (!came_.empty() && wants_input()) {
    auto fd = std::move(came_.front());
    came_.erase(came_.begin());
    served()->enter([&] {
      in_callback("file_descriptor_received",
                  [&] { receiver_->file_descriptor_received(std::move(fd)); });
    });
  }
  if (wants_input())
    received(data);
  else if (connected() && !disconnecting()) // paused
    kept_.assign(data.begin(), data.end());
  else
    came_.clear();
}

// -- the end ------------------------------------------------------------------------------------

void unix_socket::close(bool reset) noexcept {
  if (retry_.active())
    retry_.cancel();
  leaving_.clear();
  came_.clear();
  kept_ = {};
  stream_socket::close(reset);
}

} // namespace troupe::detail
