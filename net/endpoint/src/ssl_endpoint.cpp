#include <troupe/net/ssl_endpoint.hpp>

#include <troupe/net/connect_ssl.hpp>
#include <troupe/net/listen_ssl.hpp>

#include "connect_endpoint.hpp"
#include "connecting.hpp"

namespace troupe {

ssl_server_endpoint::ssl_server_endpoint(runtime& rt, std::uint16_t port, tls_server_context tls,
                                         listen_options options)
  : rt_(rt), port_(port), tls_(std::move(tls)), options_(std::move(options)) {}

deferred<listening_port> ssl_server_endpoint::listen(const factory_ref& f) {
  return detail::listen_endpoint([&] { return listen_ssl(rt_, port_, f, tls_, options_); });
}

ssl_client_endpoint::ssl_client_endpoint(runtime& rt, std::string host, std::uint16_t port,
                                         tls_client_context tls, connect_options options)
  : rt_(rt), host_(std::move(host)), port_(port), tls_(std::move(tls)),
    options_(detail::checked(std::move(options))) {}

deferred<connected_protocol> ssl_client_endpoint::connect(const factory_ref& f) {
  return detail::connect_endpoint(rt_, options_.loop, f, [this](const client_factory_ref& c) {
    return connect_ssl(rt_, host_, port_, c, tls_, options_);
  });
}

} // namespace troupe
