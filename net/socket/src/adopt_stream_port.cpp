#include <troupe/net/adopt_stream_port.hpp>

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>

#include "acceptor.hpp"
#include "listening_socket.hpp"
#include "socket_address.hpp"

namespace troupe {

namespace {

int option_of(int fd, int option) {
  int value = 0;
  socklen_t length = sizeof value;
  return ::getsockopt(fd, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

std::shared_ptr<const detail::transport_kind> kind_of(int fd, const listen_options& options) {
  if (option_of(fd, SO_DOMAIN) == AF_UNIX)
    return std::make_shared<const detail::unix_kind>(options.output);
  return std::make_shared<const detail::tcp_kind>(options.no_delay, options.keep_alive,
                                                  options.output);
}

} // namespace

detail::listening_opener detail::adopted_listener(int fd) {
  return [fd](const net_address*) {
    const auto refuse = [fd](std::error_code reason, const std::string& detail = {}) {
      throw cannot_listen_error({net_address::kind::none, "descriptor " + std::to_string(fd), 0},
                                reason, detail);
    };
    unique_fd own{::fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (!own)
      refuse({errno, std::system_category()});
    const int type = option_of(own.get(), SO_TYPE);
    if (type < 0)
      refuse({errno, std::system_category()});
    if (type != SOCK_STREAM || option_of(own.get(), SO_ACCEPTCONN) != 1)
      refuse(make_error_code(std::errc::invalid_argument), "it is no stream socket that listens");
    const int flags = ::fcntl(own.get(), F_GETFL);
    if (flags < 0 || ::fcntl(own.get(), F_SETFL, flags | O_NONBLOCK) != 0)
      refuse({errno, std::system_category()});
    sockaddr_storage local{};
    socklen_t length = sizeof local;
    ::getsockname(own.get(), reinterpret_cast<sockaddr*>(&local), &length);
    return listening_socket{std::move(own), socket_address{local}.to_address()};
  };
}

listening_port adopt_stream_port(runtime& rt, int fd, const factory_ref& f,
                                 const listen_options& options) {
  return detail::acceptor::make_port(rt.system(), detail::acceptor::loop_of(rt, options),
                                     detail::adopted_listener(fd), f, kind_of(fd, options),
                                     options);
}

} // namespace troupe
