#include <troupe/net/adopted_stream_endpoint.hpp>

#include "connect_endpoint.hpp"

namespace troupe {

adopted_stream_server_endpoint::adopted_stream_server_endpoint(runtime& rt, int fd,
                                                               listen_options options)
  : rt_(rt), fd_(fd), options_(std::move(options)) {}

deferred<listening_port> adopted_stream_server_endpoint::listen(const factory_ref& f) {
  return detail::listen_endpoint([&] { return adopt_stream_port(rt_, fd_, f, options_); });
}

} // namespace troupe
