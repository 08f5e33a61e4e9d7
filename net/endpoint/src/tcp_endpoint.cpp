#include <troupe/net/tcp_endpoint.hpp>

#include <troupe/net/connect_tcp.hpp>
#include <troupe/net/listen_tcp.hpp>

#include "connect_endpoint.hpp"
#include "connecting.hpp"

namespace troupe {

tcp_server_endpoint::tcp_server_endpoint(runtime& rt, std::uint16_t port, listen_options options)
  : rt_(rt), port_(port), options_(std::move(options)) {}

deferred<listening_port> tcp_server_endpoint::listen(const factory_ref& f) {
  return detail::listen_endpoint([&] { return listen_tcp(rt_, port_, f, options_); });
}

tcp_client_endpoint::tcp_client_endpoint(runtime& rt, std::string host, std::uint16_t port,
                                         connect_options options)
  : rt_(rt), host_(std::move(host)), port_(port), options_(detail::checked(std::move(options))) {}

deferred<connected_protocol> tcp_client_endpoint::connect(const factory_ref& f) {
  return detail::connect_endpoint(rt_, options_.loop, f, [this](const client_factory_ref& c) {
    return connect_tcp(rt_, host_, port_, c, options_);
  });
}

} // namespace troupe
