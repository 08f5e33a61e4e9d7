// How a port of datagrams sends: what is written is collected, and leaves at the end of the turn.
#include "datagram_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

#include <spdlog/logger.h>
#include <sys/socket.h>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

namespace troupe::detail {

namespace {

constexpr std::size_t datagrams_per_call = 64;

// Datagrams up to this size may leave in runs: those pass through every network unfragmented.
constexpr std::size_t longest_in_run = 1200;

// An emptied queue keeps its memory up to this size, for the next turn.
constexpr std::size_t worth_keeping = 64 * 1024;

constexpr const char* through_its_protocol = "send the protocol a message, or use run_as";

} // namespace

std::error_code datagram_socket::refuse(std::error_code why) noexcept {
  ++counters_.refused;
  return why;
}

std::error_code datagram_socket::write(bytes_view data, const net_address& to) {
  loop_.expect_here("write", through_its_protocol);
  if (!takes_output())
    return refuse(errc::not_listening);
  native_address made;
  const auto* at = memory_.native_of(to);
  if (at == nullptr || at->family() != family()) {
    if (const auto wrong = resolve(to, made))
      return refuse(wrong);
    at = &made;
  }
  if (peer_.length == 0)
    return enqueue(data, at);
  if (!peer_.is(&at->storage, at->length) && !destination_.is(&at->storage, at->length))
    throw std::logic_error("write: the port is connected to another address");
  return enqueue(data, nullptr);
}

std::error_code datagram_socket::write(bytes_view data) {
  loop_.expect_here("write", through_its_protocol);
  if (!takes_output())
    return refuse(errc::not_listening);
  if (peer_.length == 0)
    throw std::logic_error("write: the port is not connected, and there is no address");
  return enqueue(data, nullptr);
}

std::error_code datagram_socket::enqueue(bytes_view data, const native_address* to) {
  if (data.size() > longest())
    return refuse(errc::message_too_long);
  if (held() + overhead + data.size() > limits_.max_unsent)
    return refuse(errc::queue_overflow);
  const auto name = static_cast<std::uint16_t>(to != nullptr ? to->length : 0);
  if (aside_.count != 0) {
    std::error_code refused;
    const auto* const raw =
      to != nullptr ? reinterpret_cast<const std::byte*>(&to->storage) : nullptr;
    if (keep_behind({{raw, name}, data}, &refused))
      return refused ? refuse(refused) : refused;
  }
  bool same = first_ < queue_.size() && queue_.back().name == name;
  if (same && name != 0)
    same = std::memcmp(bytes_.data() + queue_.back().offset, &to->storage, name) == 0;
  const auto offset = bytes_.size();
  bytes_.resize(offset + name + data.size());
  if (name != 0)
    std::memcpy(bytes_.data() + offset, &to->storage, name);
  if (!data.empty())
    std::memcpy(bytes_.data() + offset + name, data.data(), data.size());
  queue_.push_back({offset, static_cast<std::uint32_t>(data.size()), name, same});
  unsent_ += data.size();
  if (blocked_)
    return {};
  if (queue_.size() >= datagrams_per_call)
    flush();
  mark_dirty();
  return {};
}

// What waits, as `max_unsent` counts it.
std::size_t datagram_socket::held() const noexcept {
  return unsent_ + aside_.bytes + (queue_.size() - first_ + aside_.count) * overhead;
}

void datagram_socket::mark_dirty() {
  if (std::exchange(dirty_, true))
    return;
  loop_.at_end_of_turn(*this);
}

struct datagram_socket::batch {
  std::array<mmsghdr, datagrams_per_call> messages;
  std::array<std::size_t, datagrams_per_call> runs; // how many datagrams each message is
  std::array<iovec, datagrams_per_call> pieces;
  struct alignas(cmsghdr) control {
    std::array<std::byte, 32> bytes;
  };
  std::array<control, datagrams_per_call> controls;
};

std::size_t datagram_socket::segment(std::span<std::byte>, std::size_t) const noexcept {
  return 0;
}

// Returns how many datagrams from `first` on can be one message: they have the same address and the
// same size, but for the last, which may be shorter. The system then does once for all of them what
// it does for each otherwise, and cuts them apart last.
std::size_t datagram_socket::run_from(std::size_t first) const noexcept {
  constexpr std::size_t run_bytes = 60'000;
  const auto size = queue_[first].size;
  if (!runs_ || singly_ != 0 || size == 0 || size > longest_in_run)
    return 1;
  const auto most = first + std::min<std::size_t>(run_bytes / size, datagrams_per_call);
  auto i = first + 1;
  while (i < std::min(queue_.size(), most) && queue_[i].same && queue_[i].size == size)
    ++i;
  if (i < std::min(queue_.size(), most) && queue_[i].same && queue_[i].size < size
      && queue_[i].size > 0)
    ++i;
  return i - first;
}

void datagram_socket::flush() noexcept {
  batch b;
  while (first_ < queue_.size() && !blocked_) {
    if (aside_.count != 0 && keep_behind(at(queue_[first_]), nullptr)) {
      drop_first(1);
      continue;
    }
    std::size_t count = 0;
    std::size_t taken = 0; // of the datagrams
    // While some are kept aside, the next is looked at first: it may have to go behind them.
    while (first_ + taken < queue_.size() && (count == 0 || aside_.count == 0)) {
      const auto run = run_from(first_ + taken);
      if (taken + run > datagrams_per_call)
        break;
      for (std::size_t i = 0; i < run; ++i) {
        const auto& q = queue_[first_ + taken + i];
        b.pieces[taken + i] = {bytes_.data() + q.offset + q.name, q.size};
      }
      const auto& q = queue_[first_ + taken];
      auto& header = b.messages[count].msg_hdr;
      header = {};
      header.msg_name = q.name != 0 ? bytes_.data() + q.offset : nullptr;
      header.msg_namelen = q.name;
      header.msg_iov = &b.pieces[taken];
      header.msg_iovlen = run;
      if (run > 1) {
        header.msg_control = b.controls[count].bytes.data();
        header.msg_controllen = segment(b.controls[count].bytes, q.size);
      }
      b.runs[count++] = run;
      taken += run;
    }
    const auto sent = ::sendmmsg(fd(), b.messages.data(), static_cast<unsigned>(count),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && !skip_failed(errno, b.runs[0]))
      wait_writable();
    for (int i = 0; i < sent; ++i) {
      const auto run = b.runs[static_cast<std::size_t>(i)];
      counters_.sent += run;
      for (std::size_t j = 0; j < run; ++j)
        loop_.count_sent(queue_[first_ + j].size);
      drop_first(run);
    }
  }
  forget_sent();
}

// Deals with an error of the first message, which is a run of so many datagrams. Returns false if it
// should wait.
bool datagram_socket::skip_failed(int error, std::size_t run) noexcept {
  if (error == EINTR)
    return true;
  switch (judge(error, at(queue_[first_]))) {
  case verdict::wait:
    return false;
  case verdict::again:
    if (++failures_ < 3)
      return true;
    break;
  case verdict::aside:
    drop_first(1);
    return true;
  case verdict::lost:
    break;
  }
  failures_ = 0;
  if (run > 1) { // the fault may lie in the run: not every network device takes them
    if (error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT)
      runs_ = false;
    singly_ = run;
    return true;
  }
  count_lost(error);
  drop_first(1);
  return true;
}

datagram_socket::verdict datagram_socket::judge(int error, const datagram&) noexcept {
  switch (error) {
  case EAGAIN:
    return verdict::wait;
  case ECONNREFUSED: // one that was sent before has been refused; this one was not sent
    note_refusal();
    return verdict::again;
  default:
    return verdict::lost;
  }
}

datagram_socket::datagram datagram_socket::at(const queued& q) const noexcept {
  const auto* const bytes = bytes_.data() + q.offset;
  return {{bytes, q.name}, {bytes + q.name, q.size}};
}

void datagram_socket::note_refusal() noexcept {
  refused_ = true;
  mark_dirty();
}

void datagram_socket::count_sent(std::size_t bytes) noexcept {
  ++counters_.sent;
  loop_.count_sent(bytes);
}

void datagram_socket::count_lost(int error) noexcept {
  loop_.scheduler().logger().debug("a datagram was not sent: {}",
                                   std::system_category().message(error));
  ++counters_.lost;
}

void datagram_socket::drop_first(std::size_t count) noexcept {
  for (const auto end = first_ + count; first_ < end; ++first_)
    unsent_ -= queue_[first_].size;
  singly_ -= std::min(singly_, count);
  failures_ = 0;
}

void datagram_socket::forget_sent() {
  if (first_ == queue_.size()) {
    if (bytes_.capacity() > worth_keeping) {
      bytes_ = {};
      queue_ = {};
    }
    bytes_.clear();
    queue_.clear();
    first_ = 0;
  } else if (const auto gone = queue_[first_].offset; gone > bytes_.size() / 2) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(gone));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(first_));
    for (auto& q : queue_)
      q.offset -= gone;
    first_ = 0;
  }
}

void datagram_socket::wait_writable() {
  blocked_ = true;
  socket_->async_wait(asio::posix::descriptor_base::wait_write,
                      [self = shared_from_this()](const asio::error_code&) {
                        self->blocked_ = false;
                        if (self->is_open())
                          self->flush();
                      });
}

} // namespace troupe::detail
