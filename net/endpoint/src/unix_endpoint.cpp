#include <troupe/net/unix_endpoint.hpp>

#include "connect_endpoint.hpp"
#include "connecting.hpp"

namespace troupe {

unix_server_endpoint::unix_server_endpoint(runtime& rt, std::string path,
                                           unix_listen_options options)
  : rt_(rt), path_(std::move(path)), options_(options) {}

deferred<listening_port> unix_server_endpoint::listen(const factory_ref& f) {
  return detail::listen_endpoint([&] { return listen_unix(rt_, path_, f, options_); });
}

unix_client_endpoint::unix_client_endpoint(runtime& rt, std::string path,
                                           unix_connect_options options)
  : rt_(rt), path_(std::move(path)), options_(detail::checked(options)) {}

deferred<connected_protocol> unix_client_endpoint::connect(const factory_ref& f) {
  return detail::connect_endpoint(rt_, options_.loop, f, [this](const client_factory_ref& c) {
    return connect_unix(rt_, path_, c, options_);
  });
}

} // namespace troupe
