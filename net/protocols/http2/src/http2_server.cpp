#include <troupe/http2/http2_server.hpp>

#include <limits>
#include <memory>
#include <stdexcept>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>

#include "http2_connection.hpp"

namespace troupe {

factory_ref http2_server(http_handler handler, http_server_options options,
                         const http2_options& http2) {
  constexpr std::uint32_t widest = std::numeric_limits<std::int32_t>::max();
  if (http2.max_streams == 0)
    throw std::invalid_argument("http2_server: a connection without streams");
  if (http2.stream_window == 0 || http2.stream_window > http2.connection_window
      || http2.connection_window > widest)
    throw std::invalid_argument(
      "http2_server: a window is from 1 to 2^31 - 1, and a stream's not above its connection's");
  detail::http_service service;
  service.handler = std::move(handler);
  service.options = std::move(options);
  service.http2 = [http2](protocol& carrier, std::shared_ptr<const detail::http_service> of) {
    return std::make_unique<http2_connection>(carrier, std::move(of), http2);
  };
  return detail::http_server_of(std::make_shared<const detail::http_service>(std::move(service)));
}

std::vector<std::string> http2_alpn() {
  return {"h2", "http/1.1"};
}

} // namespace troupe
