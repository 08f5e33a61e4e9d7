#include <troupe/net/connect_ssl.hpp>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "connecting.hpp"
#include "tls_kind.hpp"

namespace troupe {

connector connect_ssl(runtime& rt, const std::string& host, std::uint16_t port,
                      const client_factory_ref& f, const tls_client_context& tls,
                      const connect_options& options) {
  for (const auto& warning : tls.warnings())
    rt.scheduler().logger().warn("{}", warning);
  return detail::start_connecting(rt, detail::tcp_destination(rt, host, port, options), f, options,
                                  std::make_shared<const detail::tls_kind>(
                                    tls.settings(), options.no_delay, options.keep_alive,
                                    options.output, host, host + ':' + std::to_string(port)));
}

} // namespace troupe
