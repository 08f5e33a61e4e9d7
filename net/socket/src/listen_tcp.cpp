#include <troupe/net/listen_tcp.hpp>

#include "acceptor.hpp"

namespace troupe {

listening_port listen_tcp(runtime& rt, std::uint16_t port, const factory_ref& f,
                          const listen_options& options) {
  return detail::acceptor::make_port(rt.system(), detail::acceptor::loop_of(rt, options),
                                     detail::tcp_listener(port, options), f,
                                     detail::accepted_tcp(options), options);
}

} // namespace troupe
