#include <troupe/net/connect_unix.hpp>

#include "connecting.hpp"
#include "lock_file.hpp"
#include "socket_address.hpp"

namespace troupe {

detail::destination detail::unix_destination(const std::string& path,
                                             const unix_connect_options& options) {
  return {{net_address::kind::unix_socket, path, 0},
          [path, check_lock =
                   options.check_lock](event_loop&) -> deferred<std::vector<sockaddr_storage>> {
            const auto parsed = parse_unix(path);
            if (!parsed)
              return fail<std::vector<sockaddr_storage>>(parsed.error());
            if (check_lock && lock_file::held(path + ".lock") == lock_file::holder::nobody)
              return fail<std::vector<sockaddr_storage>>(
                failure{errc::connection_refused, path + ": nobody holds its lock"});
            return succeed(std::vector{*parsed});
          }};
}

connector connect_unix(runtime& rt, const std::string& path, const client_factory_ref& f,
                       const unix_connect_options& options) {
  return detail::start_connecting(
    rt, detail::unix_destination(path, options), f,
    {.timeout = options.timeout, .output = options.output, .loop = options.loop},
    std::make_shared<const detail::unix_kind>(options.output));
}

} // namespace troupe
