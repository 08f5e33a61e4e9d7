#include "unix_datagram_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <stdexcept>

#include <sys/socket.h>

#include <troupe/net/connect_unix_datagram.hpp>
#include <troupe/net/listen_unix_datagram.hpp>
#include <troupe/runtime/errc.hpp>

#include "datagram_binding.hpp"
#include "socket_file.hpp"

namespace troupe {

namespace detail {

namespace {

constexpr duration first_pause = std::chrono::milliseconds(1);
constexpr duration longest_pause = std::chrono::milliseconds(320);

int send_one(int fd, bytes_view to, bytes_view data) noexcept {
  sockaddr_storage name{};
  std::memcpy(&name, to.data(), to.size());
  for (;;) {
    const auto sent = ::sendto(fd, data.data(), data.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                               to.empty() ? nullptr : reinterpret_cast<const sockaddr*>(&name),
                               static_cast<socklen_t>(to.size()));
    if (sent >= 0)
      return 0;
    if (errno != EINTR)
      return errno;
  }
}

// What passes when somebody reads, or frees memory, which the system does not tell.
bool passes(int error) noexcept {
  return error == EAGAIN || error == ENOBUFS || error == ENOMEM;
}

} // namespace

unix_datagram_socket::unix_datagram_socket(event_loop& loop, listening_socket socket,
                                           const limits& l, const std::string& destination)
  : datagram_socket(loop, std::move(socket), l) {
  int size = 0;
  socklen_t length = sizeof size;
  ::getsockopt(fd(), SOL_SOCKET, SO_SNDBUF, &size, &length);
  constexpr int reserved = 32; // by Linux
  longest_ = static_cast<std::size_t>(std::max(0, size - reserved));
  if (!destination.empty())
    destination_ = *native_address::of_path(destination);
}

unix_datagram_socket::~unix_datagram_socket() = default;

std::error_code unix_datagram_socket::resolve(const net_address& a, native_address& to) const {
  if (a.type() != net_address::kind::unix_socket)
    return errc::invalid_address;
  auto made = native_address::of_path(a.host());
  if (!made)
    return made.error().code();
  to = *made;
  return {};
}

std::error_code unix_datagram_socket::set_broadcast_allowed(bool) {
  return is_open() ? errc::not_supported : errc::not_listening;
}

// -- output -------------------------------------------------------------------------------------

datagram_socket::verdict unix_datagram_socket::judge(int error, const datagram& d) noexcept {
  if (error == EAGAIN && is_connected()) // then the system watches the peer
    return verdict::wait;
  if (passes(error)) {
    const auto due = event_loop::now() + first_pause;
    auto& c =
      crowds_.try_emplace(std::string(as_text(d.to)), crowd{{}, 0, first_pause, due}).first->second;
    keep(c, d.data);
    wait_for(due);
    return verdict::aside;
  }
  if (!is_connected() || (error != ECONNREFUSED && error != ENOTCONN))
    return verdict::lost;
  // The peer has gone, and the system has forgotten the connection. There may be another by now.
  const int again = connect_socket();
  if (again == 0)
    return verdict::again;
  if (again == ECONNREFUSED || again == ENOENT)
    note_refusal();
  return verdict::lost;
}

bool unix_datagram_socket::keep_behind(const datagram& d, std::error_code* refused) {
  const auto found = crowds_.find(std::string(as_text(d.to)));
  if (found == crowds_.end())
    return false;
  auto& c = found->second;
  if (refused != nullptr && c.held + d.data.size() + overhead > max_unsent() / 4)
    *refused = errc::queue_overflow; // what is left is for the other peers
  else
    keep(c, d.data);
  return true;
}

void unix_datagram_socket::keep(crowd& c, bytes_view data) {
  c.waiting.emplace_back(data.begin(), data.end());
  c.held += data.size() + overhead;
  ++aside_.count;
  aside_.bytes += data.size();
}

void unix_datagram_socket::wait_for(time_point due) {
  if (retry_.active()) {
    if (retry_.get_time() <= due)
      return;
    retry_.cancel();
  }
  // `this` is good while the call is pending: the end of the port cancels it.
  retry_ = loop().timers().add(due, [this] { try_due(event_loop::now()); });
}

void unix_datagram_socket::try_due(time_point now) noexcept {
  auto next = time_point::max();
  for (auto i = crowds_.begin(); i != crowds_.end();) {
    auto& c = i->second;
    if (c.due <= now) {
      c.pause = try_peer(i->first, c) ? first_pause : std::min(2 * c.pause, longest_pause);
      c.due = now + c.pause;
    }
    next = c.waiting.empty() ? next : std::min(next, c.due);
    i = c.waiting.empty() ? crowds_.erase(i) : std::next(i);
  }
  if (!crowds_.empty())
    wait_for(next);
}

// Returns whether anything was taken.
bool unix_datagram_socket::try_peer(const std::string& to, crowd& c) noexcept {
  bool moved = false;
  while (!c.waiting.empty()) {
    const auto size = c.waiting.front().size();
    const int error = send_one(fd(), as_bytes(to), c.waiting.front());
    if (passes(error))
      break;
    if (error == 0)
      count_sent(size);
    else
      count_lost(error);
    moved = true;
    --aside_.count;
    aside_.bytes -= size;
    c.held -= size + overhead;
    c.waiting.pop_front();
  }
  return moved;
}

void unix_datagram_socket::closing() noexcept {
  if (retry_.active())
    retry_.cancel();
  for (auto& [to, c] : crowds_)
    try_peer(to, c);
  crowds_.clear();
}

// -- opening ------------------------------------------------------------------------------------

namespace {

datagram_port open_port(runtime& rt, const datagram_protocol_ref& protocol,
                        const unix_datagram_options& options, listening_opener open,
                        const std::string& destination) {
  if (options.max_packet_size == 0 || options.max_packet_size > datagram_memory::most_bytes)
    throw std::invalid_argument("max_packet_size must be between 1 and "
                                + std::to_string(datagram_memory::most_bytes));
  const datagram_socket::limits limits{
    .max_packet_size = options.max_packet_size, .max_unsent = options.max_unsent, .runs = false};
  return datagram_place::listen(
    rt, options.loop, protocol,
    [open = std::move(open), buffer = options.send_buffer](const net_address* had) {
      auto opened = open(had);
      const auto size =
        static_cast<int>(std::min<std::size_t>(buffer, std::numeric_limits<int>::max() / 2));
      if (size != 0)
        ::setsockopt(opened.fd.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
      return opened;
    },
    [limits, destination](event_loop& on,
                          listening_socket socket) -> std::shared_ptr<datagram_socket> {
      return std::make_shared<unix_datagram_socket>(on, std::move(socket), limits, destination);
    });
}

listening_socket open_unnamed() {
  const auto host = net_address::path({});
  unique_fd fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    throw cannot_listen_error(host, {errno, std::system_category()});
  return {std::move(fd), host};
}

} // namespace

} // namespace detail

datagram_port listen_unix_datagram(runtime& rt, const std::string& path,
                                   const datagram_protocol_ref& protocol,
                                   const unix_datagram_options& options) {
  return detail::open_port(
    rt, protocol, options,
    [path, mode = options.mode, locked = options.lock_file](const net_address*) {
      return detail::bind_unix(SOCK_DGRAM, path, mode, locked);
    },
    {});
}

datagram_port connect_unix_datagram(runtime& rt, const std::string& path,
                                    const datagram_protocol_ref& protocol,
                                    const unix_datagram_connect_options& options) {
  const auto open = [path, from = options.bind_address, mode = options.mode,
                     locked = options.lock_file](const net_address*) {
    const auto refuse = [&](std::error_code code, const std::string& why = {}) {
      throw cannot_listen_error::connecting(net_address::path(path), code, why);
    };
    const auto to = detail::native_address::of_path(path);
    if (!to)
      refuse(to.error().code(), to.error().context());
    auto opened =
      from.empty() ? detail::open_unnamed() : detail::bind_unix(SOCK_DGRAM, from, mode, locked);
    if (::connect(opened.fd.get(), to->get(), to->length) != 0)
      refuse({errno, std::system_category()});
    return opened;
  };
  return detail::open_port(rt, protocol,
                           {.max_packet_size = options.max_packet_size,
                            .max_unsent = options.max_unsent,
                            .send_buffer = options.send_buffer,
                            .loop = options.loop},
                           open, path);
}

} // namespace troupe
