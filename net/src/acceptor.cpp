#include "acceptor.hpp"

#include <cerrno>

#include <caf/behavior.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

unique_fd open_tcp_listener(std::uint16_t port, const listen_options& options) {
  const auto refuse = [&](std::error_code reason) {
    throw cannot_listen_error(options.interface, port, reason);
  };
  const auto at = parse_ip(options.interface, port);
  if (!at)
    refuse(make_error_code(errc::invalid_address));
  unique_fd fd{::socket(at->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const int on = 1;
  if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0
      || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*at), length_of(*at)) != 0
      || ::listen(fd.get(), options.backlog) != 0)
    refuse({errno, std::system_category()});
  return fd;
}

listening_port acceptor::make_port(caf::actor_system& sys, event_loop& loop, std::uint16_t port,
                                   const factory_ref& f, const listen_options& options) {
  auto fd = open_tcp_listener(port, options);
  sockaddr_storage local{};
  socklen_t length = sizeof local;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &length);
  auto host = std::make_shared<const net_address>(socket_address{local}.to_address());
  f.start(sys, loop);
  caf::actor_config cfg{&loop};
  auto kind =
    std::make_shared<const tcp_kind>(options.no_delay, options.keep_alive, options.output);
  const auto handle =
    sys.spawn_impl<acceptor, caf::hidden>(cfg, std::move(fd), f, std::move(kind), options, host);
  return {caf::actor_cast<caf::strong_actor_ptr>(handle), std::move(host)};
}

acceptor::acceptor(caf::actor_config& cfg, unique_fd fd, factory_ref f,
                   std::shared_ptr<const transport_kind> kind, listen_options options,
                   std::shared_ptr<const net_address> host)
  : pinned_actor(cfg), fd_(std::move(fd)), factory_(std::move(f)), kind_(std::move(kind)),
    options_(std::move(options)), host_(std::move(host)) {}

caf::behavior acceptor::make_behavior() {
  if (fd_ && !loop().stopping())
    begin();
  return {[](caf::unit_t) {
  }};
}

void acceptor::begin() {
  loop().scheduler().logger().info("{} starting on {}", factory_.get()->log_prefix(),
                                   host_->to_string());
  bool started = false;
  factory_.get()->enter([&] {
    factory_.get()->do_start();
    started = true;
  });
  if (!started) { // start_factory threw, which ended the factory, or it had ended
    fd_ = {};
    return quit(make_error(errc::not_listening, "the factory does not run"));
  }
  counted_ = true;
  ++epoch_;
  listener_.emplace(loop().io(), fd_.release());
  wait();
}

void acceptor::wait() {
  listener_->async_wait(
    asio::posix::descriptor_base::wait_read,
    [this, self = caf::strong_actor_ptr{ctrl()}, epoch = epoch_](const asio::error_code& ec) {
      if (!ec && listener_ && epoch == epoch_)
        enter([this] { accept_some(); });
    });
}

void acceptor::accept_some() {
  auto& f = *factory_.get();
  for (std::size_t n = 0; n < options_.accepts_per_turn; ++n) {
    if (!f.has_room())
      return f.when_room([this, self = caf::strong_actor_ptr{ctrl()}, epoch = epoch_] {
        if (listener_ && epoch == epoch_)
          wait();
      });
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    unique_fd fd{::accept4(listener_->native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (fd) {
      admit(std::move(fd), peer);
      if (!listener_) // stopped by the factory
        return;
      continue;
    }
    switch (errno) {
    case EAGAIN:
      return wait();
    case ECONNABORTED: // these concern the one connection, which failed before it was accepted
    case EINTR:
    case EPERM:
    case EPROTO:
    case ENETDOWN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ETIMEDOUT:
      continue;
    default: // no descriptors, no memory
      return retry_later(errno);
    }
  }
  wait(); // more may be there, but others have their turn first
}

// Nothing would come of accepting now; and a socket that stays readable would keep the loop awake.
void acceptor::retry_later(int error) {
  loop().scheduler().logger().error("{}: cannot accept a connection, trying again in {} ms: {}",
                                    host_->to_string(), options_.pause_without_descriptors.count(),
                                    std::system_category().message(error));
  call_later(options_.pause_without_descriptors, [this, epoch = epoch_] {
    if (listener_ && epoch == epoch_)
      accept_some();
  });
}

void acceptor::admit(unique_fd fd, const sockaddr_storage& peer) {
  const socket_address from{peer};
  auto& where = loop().scheduler().next_loop();
  protocol_ptr built;
  factory_.get()->enter([&] { built = factory_.get()->build(from.to_address(), where); });
  if (!built)
    return; // closes it
  auto join = [fd = std::move(fd), built = std::move(built), from, &where, kind = kind_]() mutable {
    if (where.stopping())
      return built->enter([&] { built->quit(caf::exit_reason::user_shutdown); });
    kind->open(where, std::move(fd), from, built, [&where](const failure* failed) {
      if (failed != nullptr)
        where.scheduler().logger().error("cannot serve a connection: {}", failed->message());
    });
  };
  if (where.is_current())
    join();
  else
    where.post(std::move(join));
}

// -- starting and stopping ----------------------------------------------------------------------

void acceptor::close() {
  if (!std::exchange(counted_, false)) {
    fd_ = {};
    return;
  }
  listener_.reset();
  ++epoch_;
  loop().scheduler().logger().info("{} stopped on {}", factory_.get()->log_prefix(),
                                   host_->to_string());
  factory_.get()->do_stop(); // may throw
}

chained<void> acceptor::stop_listening() {
  return chained<void>(maybe_deferred([this] { close(); }));
}

void acceptor::start_listening() {
  if (counted_)
    throw std::logic_error("start_listening: the port listens already");
  fd_ = open_tcp_listener(host_->port(), options_);
  enter([this] { begin(); });
}

void acceptor::stop_requested() {
  enter([this] { quit(caf::exit_reason::user_shutdown); });
}

void acceptor::on_exit() {
  try {
    close();
  } catch (...) {
    const auto f = failure::current();
    loop().scheduler().logger().error("[{}] unhandled exception in stop_factory: {}: {}",
                                      factory_.get()->log_prefix(), f.type_name(), f.message());
  }
  pinned_actor::on_exit();
}

} // namespace troupe::detail
