#include "connect_socket.hpp"

#include <cerrno>
#include <cstring>
#include <memory>

#include <netinet/in.h>
#include <poll.h>

#include <asio/posix/basic_stream_descriptor.hpp>

#include <troupe/runtime/detail/abandoning_promise.hpp>

#include "socket_address.hpp"

namespace troupe::detail {

namespace {

using descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

// What an error of connecting means depends on what was asked for: whether the local port was chosen,
// and whether the destination has a listen queue that refuses (`local`: a UNIX socket).
errc code_of(int error, bool local, bool port_chosen) noexcept {
  switch (error) {
  case ECONNREFUSED:
    return errc::connection_refused;
  case ETIMEDOUT:
    return errc::timed_out;
  case EHOSTUNREACH:
  case ENETUNREACH:
  case ENETDOWN:
  case EHOSTDOWN:
    return errc::no_route;
  case EAGAIN: // the listen queue of a UNIX socket is full; elsewhere, the system lacks something
    return local ? errc::connection_limit_reached : errc::connect_failed;
  case EADDRNOTAVAIL: // a connection from that port to there exists; or no local port is left
  case EADDRINUSE:
    return port_chosen ? errc::bind_failed : errc::no_route;
  default:
    return errc::connect_failed;
  }
}

bool same_endpoint(const sockaddr_storage& a, const sockaddr_storage& b) noexcept {
  if (a.ss_family != b.ss_family)
    return false;
  if (a.ss_family == AF_INET) {
    const auto& x = reinterpret_cast<const sockaddr_in&>(a);
    const auto& y = reinterpret_cast<const sockaddr_in&>(b);
    return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
  }
  const auto& x = reinterpret_cast<const sockaddr_in6&>(a);
  const auto& y = reinterpret_cast<const sockaddr_in6&>(b);
  return x.sin6_port == y.sin6_port
         && std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
}

// Between two ports of one machine, a connect to a free port of the ephemeral range may meet itself.
bool connected_to_itself(int fd, const sockaddr_storage& to) noexcept {
  sockaddr_storage local{};
  socklen_t size = sizeof local;
  return (to.ss_family == AF_INET || to.ss_family == AF_INET6)
         && ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &size) == 0
         && same_endpoint(local, to);
}

// Returns what came of a connect that is over: 0 or the system's error.
int result_of_connect(int fd, const sockaddr_storage& to) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 && connected_to_itself(fd, to) ? ECONNREFUSED : error;
}

/// One connect that the system has under way.
class pending_connect : public std::enable_shared_from_this<pending_connect> {
public:
  pending_connect(event_loop& loop, unique_fd fd, const sockaddr_storage& to,
                  const std::optional<sockaddr_storage>& from)
    : descriptor_(loop.io()), to_(to), from_(from),
      done_(promise<connected_socket>([this] { descriptor_.close(); })) {
    descriptor_.assign(fd.get());
    static_cast<void>(fd.release());
  }

  deferred<connected_socket> start() {
    auto result = done_->get_deferred();
    descriptor_.async_wait(asio::posix::descriptor_base::wait_write,
                           [self = shared_from_this()](const asio::error_code& ec) {
                             if (!self->done_->called())
                               self->finish(ec);
                           });
    return result;
  }

private:
  void finish(const asio::error_code& ec) {
    const int error = ec ? ec.value() : result_of_connect(descriptor_.native_handle(), to_);
    unique_fd fd{descriptor_.release()};
    if (error != 0)
      done_->errback(connect_failure(error, to_, from_));
    else
      done_->callback(connected_socket{std::move(fd), to_});
  }

  descriptor descriptor_;
  const sockaddr_storage to_;
  const std::optional<sockaddr_storage> from_;
  abandoning_promise<connected_socket> done_;
};

} // namespace

failure connect_failure(int error, const sockaddr_storage& to,
                        const std::optional<sockaddr_storage>& from) {
  const auto port = from ? socket_address{*from}.to_address().port() : std::uint16_t{0};
  const auto code = code_of(error, to.ss_family == AF_UNIX, port != 0);
  if (code == errc::connect_failed)
    return {code, std::system_category().message(error)};
  if (code == errc::bind_failed)
    return {code, "port " + std::to_string(port) + " has a connection to there already"};
  if (error == EADDRNOTAVAIL || error == EADDRINUSE)
    return {code, "no local port is left for it"};
  return code;
}

deferred<connected_socket> connect_socket(event_loop& loop, const sockaddr_storage& to,
                                          const std::optional<sockaddr_storage>& from) {
  unique_fd fd{::socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!fd)
    return fail<connected_socket>(connect_failure(errno, to, from));
  if (from) {
    const int on = 1; // the port may be that of a connection that has ended
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*from), length_of(*from)) != 0)
      return fail<connected_socket>(
        failure{errc::bind_failed, std::system_category().message(errno)});
  }
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), length_of(to)) == 0)
    return succeed(connected_socket{std::move(fd), to});
  if (errno != EINPROGRESS)
    return fail<connected_socket>(connect_failure(errno, to, from));
  // On this machine it is over already. Watching the socket would cost four more system calls.
  pollfd look{.fd = fd.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&look, 1, 0) == 1) {
    if (const int error = result_of_connect(fd.get(), to); error != 0)
      return fail<connected_socket>(connect_failure(error, to, from));
    return succeed(connected_socket{std::move(fd), to});
  }
  try {
    return std::make_shared<pending_connect>(loop, std::move(fd), to, from)->start();
  } catch (const std::exception& e) { // the system has no room to watch one more socket
    return fail<connected_socket>(failure{errc::connect_failed, e.what()});
  }
}

} // namespace troupe::detail
