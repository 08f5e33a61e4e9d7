#include <troupe/net/listen_ssl.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "acceptor.hpp"
#include "listening_socket.hpp"
#include "tls_kind.hpp"

namespace troupe {

listening_port listen_ssl(runtime& rt, std::uint16_t port, const factory_ref& f,
                          const tls_server_context& tls, const listen_options& options) {
  for (const auto& warning : tls.warnings())
    rt.scheduler().logger().warn("{}", warning);
  return detail::acceptor::make_port(rt.system(), detail::acceptor::loop_of(rt, options),
                                     detail::tcp_listener(port, options), f,
                                     detail::accepted_tls(tls, options), options);
}

} // namespace troupe
