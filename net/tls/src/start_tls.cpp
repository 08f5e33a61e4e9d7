#include <troupe/net/start_tls.hpp>

#include <stdexcept>

#include <troupe/net/detail/stream_transport.hpp>

#include "tls_layer.hpp"

namespace troupe {

namespace {

detail::stream_transport& stream_of(transport& t) {
  auto* const stream = dynamic_cast<detail::stream_transport*>(&t.underlying());
  if (stream == nullptr)
    throw std::logic_error("start_tls: this transport cannot");
  return *stream;
}

} // namespace

void start_tls(transport& t, const tls_server_context& tls, bytes_view received) {
  detail::tls_layer::start(stream_of(t), tls.settings(), {}, received);
}

void start_tls(transport& t, const tls_client_context& tls, const std::string& host,
               bytes_view received) {
  detail::tls_layer::start(stream_of(t), tls.settings(), host, received);
}

void start_tls(line_receiver& p, const tls_server_context& tls) {
  start_tls(p.transport(), tls, as_bytes(p.clear_line_buffer()));
}

void start_tls(line_receiver& p, const tls_client_context& tls, const std::string& host) {
  start_tls(p.transport(), tls, host, as_bytes(p.clear_line_buffer()));
}

} // namespace troupe
