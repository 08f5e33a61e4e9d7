#include <troupe/net/listen_unix.hpp>

#include "acceptor.hpp"

namespace troupe {

listening_port listen_unix(runtime& rt, const std::string& path, const factory_ref& f,
                           const unix_listen_options& options) {
  return detail::acceptor::make_port(
    rt.system(), rt.scheduler().loop(0), detail::unix_listener(path, options), f,
    std::make_shared<const detail::unix_kind>(options.output), options);
}

} // namespace troupe
