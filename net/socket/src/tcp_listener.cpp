#include "listening_socket.hpp"

#include <cerrno>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "socket_address.hpp"

namespace troupe::detail {

listening_opener tcp_listener(std::uint16_t port, const listen_options& options) {
  return [port, interface = options.interface, backlog = options.backlog,
          reuse = options.reuse_port, no_delay = options.no_delay](const net_address* had) {
    const auto number = had != nullptr ? had->port() : port;
    const auto refuse = [&](std::error_code reason) {
      throw cannot_listen_error(interface, number, reason);
    };
    const auto at = parse_ip(interface, number);
    if (!at)
      refuse(make_error_code(errc::invalid_address));
    unique_fd fd{::socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    const int on = 1;
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0
        || (reuse && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        // Linux hands it on to the connections: no system call for each.
        || (no_delay && ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
        || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*at), length_of(*at)) != 0
        || ::listen(fd.get(), backlog) != 0)
      refuse({errno, std::system_category()});
    sockaddr_storage local{};
    socklen_t length = sizeof local;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &length);
    return listening_socket{std::move(fd), socket_address{local}.to_address()};
  };
}

} // namespace troupe::detail
