#include <troupe/net/tcp_service.hpp>

namespace troupe {

tcp_service::tcp_service(runtime& rt, std::uint16_t port, factory_ref f, listen_options options)
  : rt_(rt), number_(port), factory_(std::move(f)), options_(std::move(options)) {}

void tcp_service::privileged_start_service() {
  service::privileged_start_service();
  listen();
}

deferred<void> tcp_service::start_service() {
  return maybe_deferred([this] {
    listen();
    return service::start_service();
  });
}

void tcp_service::listen() {
  if (listening_)
    return;
  if (port_.actor())
    port_.start_listening();
  else
    port_ = listen_tcp(rt_, number_, factory_, options_);
  listening_ = true;
}

deferred<void> tcp_service::stop_service() {
  auto stopped = service::stop_service();
  if (!std::exchange(listening_, false))
    return stopped;
  return deferred<void>(port_.stop_listening());
}

} // namespace troupe
