#pragma once

#include <functional>
#include <memory>

#include <troupe/net/listen_unix.hpp>
#include <troupe/net/listening_port.hpp>
#include <troupe/net/net_address.hpp>

#include "unique_fd.hpp"

namespace troupe::detail {

/// A socket that listens, or is bound, and what belongs to it.
struct listening_socket {
  unique_fd fd;
  net_address host;
  std::shared_ptr<void>
    belongings{}; ///< let go when the port closes: a UNIX socket's file and lock
};

/// Opens a port, again too: then at the address that it had.
using listening_opener = std::function<listening_socket(const net_address* had)>;

/// \throws cannot_listen_error
listening_opener tcp_listener(std::uint16_t port, const listen_options& options);
listening_opener unix_listener(const std::string& path, const unix_listen_options& options);
listening_opener adopted_listener(int fd);

} // namespace troupe::detail
