#include <cerrno>

#include <sys/socket.h>

#include "listening_socket.hpp"
#include "socket_file.hpp"

namespace troupe::detail {

listening_opener unix_listener(const std::string& path, const unix_listen_options& options) {
  return [path, backlog = options.backlog, mode = options.mode,
          locked = options.lock_file](const net_address*) {
    auto made = bind_unix(SOCK_STREAM, path, mode, locked);
    if (::listen(made.fd.get(), backlog) != 0)
      throw cannot_listen_error(made.host, {errno, std::system_category()});
    return made;
  };
}

} // namespace troupe::detail
