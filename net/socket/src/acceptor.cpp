#include "acceptor.hpp"

#include <cerrno>

#include <fcntl.h>

#include <caf/behavior.hpp>
#include <spdlog/logger.h>

#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

#include "connection_counts.hpp"

namespace troupe::detail {

namespace {

// Returns the socket by a descriptor of an acceptor's own, which may be lost with it.
listening_socket share(const listening_socket& kept) {
  listening_socket shared{unique_fd{::fcntl(kept.fd.get(), F_DUPFD_CLOEXEC, 0)}, kept.host,
                          kept.belongings};
  if (!shared.fd)
    throw cannot_listen_error(shared.host, {errno, std::system_category()});
  return shared;
}

// What any peer can bring about, as often as it likes, must not fill the log.
bool is_the_peers(const failure& why) {
  for (const auto code : {errc::tls_failed, errc::certificate_refused, errc::timed_out,
                          errc::connection_lost, errc::connection_done, errc::output_limit_reached,
                          errc::cancelled}) // by our side, as when the factory is drained
    if (why.check(code))
      return true;
  return false;
}

void cannot_serve(loop_scheduler& scheduler, const transport_kind& kind, const socket_address& peer,
                  const failure& why) {
  const auto text = [&] {
    return fmt::format("cannot serve {} {}: {}", kind.scheme(), peer.to_address().to_string(),
                       why.message());
  };
  if (is_the_peers(why))
    scheduler.logger().debug("{}", text());
  else
    scheduler.repeats().note("cannot serve: " + why.code().message(), log_level::error, text);
}

// In a catch block. There may be no memory to say it.
void say_why(event_loop& loop, const socket_address& peer) noexcept {
  try {
    const auto why = failure::current();
    loop.scheduler().logger().error("cannot serve {}: {}: {}", peer.to_address().to_string(),
                                    why.type_name(), why.message());
  } catch (...) { // it has cost what it costs
  }
}

} // namespace

listening_port acceptor::make_port(caf::actor_system& sys, event_loop& loop, listening_opener open,
                                   const factory_ref& f, std::shared_ptr<const transport_kind> kind,
                                   accept_rules rules) {
  if (!loop.scheduler().loop(0).is_here()) // which may make ports for all
    loop.expect_here("listen", "use call_from_thread");
  if (auto* const started = f.started(); started != nullptr && &started->loop() != &loop)
    throw std::invalid_argument("listen: the factory runs on loop "
                                + std::to_string(started->loop().index()) + ", the port on loop "
                                + std::to_string(loop.index())
                                + "; a port needs a factory on its own loop");
  if (const auto* const here = event_loop::current();
      here != nullptr && here != &loop && &here->scheduler() == &loop.scheduler())
    throw std::logic_error("listen: this is loop " + std::to_string(here->index())
                           + "; a port on loop " + std::to_string(loop.index())
                           + " is opened there, or before run()");
  auto socket = open(nullptr);
  if (loop.stopping())
    throw cannot_listen_error(socket.host, make_error_code(errc::runtime_stopped));
  f.start(sys, loop);
  caf::actor_config cfg{&loop};
  return started(sys.spawn_impl<acceptor, caf::hidden>(cfg, std::move(socket), std::move(open), f,
                                                       std::move(kind), std::move(rules)));
}

// Begins at once, so that whoever opens the port hears of what goes wrong.
listening_port acceptor::started(const caf::actor& handle) {
  auto& made = *static_cast<acceptor*>(caf::actor_cast<caf::abstract_actor*>(handle));
  made.enter([] {});
  if (made.not_begun_)
    made.enter([&made] { made.quit(make_error(errc::not_listening)); });
  made.rethrow_if_not_begun();
  return port_of(handle);
}

void acceptor::rethrow_if_not_begun() {
  if (const auto why = std::exchange(not_begun_, nullptr))
    std::rethrow_exception(why);
}

listening_port acceptor::make_supervised(caf::actor_system& sys, event_loop& loop,
                                         const listening_opener& open, const factory_ref& f,
                                         std::shared_ptr<const transport_kind> kind,
                                         accept_rules rules, std::shared_ptr<kept_socket> kept) {
  if (loop.stopping())
    failure{errc::runtime_stopped}.raise();
  const bool opened_now = !kept->socket;
  if (opened_now) {
    kept->socket = open(kept->host ? &*kept->host : nullptr);
    kept->host = kept->socket->host;
  }
  auto socket = share(*kept->socket);
  try {
    f.start(sys, loop);
    caf::actor_config cfg{&loop};
    return started(sys.spawn_impl<acceptor, caf::hidden>(cfg, std::move(socket), open, f,
                                                         std::move(kind), std::move(rules), kept));
  } catch (...) {
    if (opened_now)
      kept->socket.reset();
    throw;
  }
}

acceptor::acceptor(caf::actor_config& cfg, listening_socket socket, listening_opener open,
                   factory_ref f, std::shared_ptr<const transport_kind> kind, accept_rules rules,
                   std::shared_ptr<kept_socket> kept)
  : port_actor(cfg, socket.host), socket_(std::move(socket)), open_(std::move(open)),
    factory_(std::move(f)), kind_(std::move(kind)), rules_(std::move(rules)),
    kept_(std::move(kept)) {
  if (rules_.proxied.in_use())
    door_.emplace(*this, static_cast<proxy_door::port&>(*this), rules_.proxied);
}

event_loop& acceptor::loop_of(runtime& rt, const listen_options& options) {
  if (options.loop >= rt.loops())
    throw std::invalid_argument("listen: there is no loop " + std::to_string(options.loop)
                                + "; the runtime has " + std::to_string(rt.loops()));
  return rt.scheduler().loop(options.loop);
}

caf::behavior acceptor::make_behavior() {
  if (socket_.fd && !loop().stopping())
    begin();
  return {[](caf::unit_t) {
  }};
}

void acceptor::begin() {
  bool used = false;
  try {
    factory_.get()->begin_use();
    used = true;
    listener_.emplace(loop().io());
    listener_->assign(socket_.fd.get());
    static_cast<void>(socket_.fd.release());
  } catch (...) {
    not_begun_ = std::current_exception();
    listener_.reset();
    socket_ = {};
    if (used)
      factory_.get()->do_stop();
    return;
  }
  loop().scheduler().logger().info("{} starting on {} {}", factory_.get()->log_prefix(),
                                   kind_->scheme(), host().to_string());
  counted_ = true;
  ++epoch_;
  wait();
}

void acceptor::wait() {
  stalled_ = false;
  listener_->async_wait(asio::posix::descriptor_base::wait_read,
                        waiting_.with([this, self = caf::strong_actor_ptr{ctrl()},
                                       epoch = epoch_](const asio::error_code& ec) {
                          if (!ec && listener_ && epoch == epoch_)
                            enter("accept", [this] { accept_some(); });
                        }));
}

void acceptor::await_room() {
  if (std::exchange(awaits_room_, true))
    return;
  try {
    // Weak: a factory may keep this beyond its end, for its successor.
    factory_.get()->when_room([this, weak = caf::weak_actor_ptr{ctrl()}, epoch = epoch_] {
      const auto alive = caf::actor_cast<caf::strong_actor_ptr>(weak);
      if (alive && listener_ && epoch == epoch_)
        room_is_there();
    });
  } catch (...) {
    awaits_room_ = false;
    throw;
  }
}

void acceptor::room_is_there() {
  awaits_room_ = false;
  if (!announced_.empty())
    return enter("accept", [this] { serve_announced(); });
  if (stalled_)
    wait();
}

// Those whose headers came when there was no room.
void acceptor::serve_announced() {
  while (listener_ && !announced_.empty() && factory_.get()->has_room()) {
    auto [fd, ends] = std::move(announced_.front());
    announced_.pop_front();
    try {
      join(std::move(fd), ends);
    } catch (...) { // it costs this one
      say_why(loop(), ends.peer);
    }
  }
  if (!listener_)
    return;
  if (!announced_.empty())
    await_room();
  else if (stalled_ && !door_->is_full())
    wait();
}

void acceptor::accept_some() noexcept {
  try {
    accept_batch();
  } catch (...) { // no memory, or an override of the factory's
    if (listener_)
      pause(ENOMEM);
  }
}

void acceptor::accept_batch() {
  auto& f = *factory_.get();
  for (std::size_t n = 0; n < rules_.per_turn; ++n) {
    if (!f.has_room()) {
      await_room();
      stalled_ = true;
      return;
    }
    if (door_ && door_->is_full()) {
      stalled_ = true;
      return;
    }
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    unique_fd fd{::accept4(listener_->native_handle(), reinterpret_cast<sockaddr*>(&peer), &length,
                           SOCK_NONBLOCK | SOCK_CLOEXEC)};
    if (fd) {
      if (const auto since = std::exchange(short_since_, std::nullopt))
        loop().scheduler().logger().info(
          "{} {}: accepts connections again, after {:.1f} s", kind_->scheme(), host().to_string(),
          std::chrono::duration<double>(loop().time() - *since).count());
      admit(std::move(fd), socket_address{peer});
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
      return pause(errno);
    }
  }
  wait(); // more may be there, but others have their turn first
}

// Nothing would come of accepting now; and a socket that stays readable would keep the loop awake.
void acceptor::pause(int error) noexcept {
  try {
    call_later(rules_.pause_without_descriptors, [this, epoch = epoch_] {
      if (listener_ && epoch == epoch_)
        accept_some();
    });
  } catch (...) { // not even memory for that: to be busy is better than to be deaf
    wait();
  }
  try {
    tell_shortage(error);
  } catch (...) { // there will be another
  }
}

// Once, and once more when it is over: it lasts for as long as peers like.
void acceptor::tell_shortage(int error) {
  if (short_since_)
    return;
  short_since_ = loop().time();
  loop().scheduler().logger().error(
    "{} {}: cannot accept a connection, trying again every {} ms: {}", kind_->scheme(),
    host().to_string(), rules_.pause_without_descriptors.count(),
    std::system_category().message(error));
}

event_loop& acceptor::place() const noexcept {
  switch (rules_.placement) {
  case placement::least_loaded:
    return loop().scheduler().least_loaded_loop();
  case placement::same_loop:
    return loop();
  case placement::round_robin:
    break;
  }
  return loop().scheduler().next_loop();
}

void acceptor::admit(unique_fd fd, const socket_address& peer) noexcept {
  try {
    pass(std::move(fd), peer);
  } catch (...) { // it costs this connection, which is closed by now
    say_why(loop(), peer);
  }
}

void acceptor::pass(unique_fd fd, const socket_address& peer) {
  if (!door_)
    return join(std::move(fd), peer);
  if (door_->rules().names(peer))
    return door_->receive(std::move(fd), peer);
  if (door_->rules().others == unnamed_peers::direct)
    return join(std::move(fd), peer);
  factory_.get()->counts().refused.add();
  loop().scheduler().repeats().note("no proxy: " + host().to_string(), log_level::warn, [&] {
    return fmt::format("{} {}: {} is refused: it is none of the named proxies", kind_->scheme(),
                       host().to_string(), peer.to_address().to_string());
  });
}

void acceptor::header_came(unique_fd fd, const connection_ends& ends) {
  if (announced_.empty() && factory_.get()->has_room())
    return join(std::move(fd), ends);
  announced_.emplace_back(std::move(fd), ends);
  await_room();
}

void acceptor::header_failed(const socket_address& proxy, const failure& why) {
  factory_.get()->counts().refused.add();
  const auto text = [&] {
    return fmt::format("{} {}: a connection from the proxy {} is refused: {}", kind_->scheme(),
                       host().to_string(), proxy.to_address().to_string(), why.message());
  };
  // Connecting, and no more, is how some look whether a server lives.
  if (why.check(errc::connection_done) || why.check(errc::connection_lost))
    loop().scheduler().logger().debug("{}", text());
  else
    loop().scheduler().repeats().note("bad proxy header: " + host().to_string() + why.message(),
                                      log_level::warn, text);
}

void acceptor::one_less_waits() {
  if (stalled_ && !awaits_room_ && listener_)
    wait();
}

void acceptor::join(unique_fd fd, const connection_ends& ends) {
  const auto& from = ends.peer;
  auto& where = place();
  protocol_ptr built;
  factory_.get()->enter([&] {
    try {
      built = factory_.get()->build(from.to_address(), where);
    } catch (...) { // of an override; the factory serves others
      say_why(loop(), from);
    }
  });
  if (!built)
    return; // closes it
  auto open = [fd = std::move(fd), built = std::move(built), ends, &where, kind = kind_]() mutable {
    if (where.stopping())
      return built->enter([&] { built->quit(caf::exit_reason::user_shutdown); });
    try {
      kind->open(where, std::move(fd), ends, built,
                 [&where, from = ends.peer, kind](const failure* failed) {
                   if (failed != nullptr && !where.stopping())
                     cannot_serve(where.scheduler(), *kind, from, *failed);
                 });
    } catch (...) {
      built->enter([&] { built->quit(failure::current().to_caf_error()); });
      throw;
    }
  };
  if (where.is_current())
    open();
  else
    where.post(std::move(open));
}

// -- starting and stopping ----------------------------------------------------------------------

void acceptor::close() {
  if (!std::exchange(counted_, false)) {
    socket_ = {};
    return;
  }
  listener_.reset();
  socket_ = {}; // with what belongs to it
  if (door_)
    door_->clear();
  announced_.clear();
  stalled_ = awaits_room_ = false;
  ++epoch_;
  short_since_.reset();
  loop().scheduler().logger().info("{} stopped on {} {}", factory_.get()->log_prefix(),
                                   kind_->scheme(), host().to_string());
  factory_.get()->do_stop(); // may throw
}

chained<void> acceptor::stop_listening() {
  if (kept_)
    kept_->socket.reset();
  return chained<void>(maybe_deferred([this] { close(); }));
}

void acceptor::start_listening() {
  if (counted_)
    throw std::logic_error("start_listening: the port listens already");
  auto opened = open_(&host());
  socket_ = kept_ ? share(opened) : std::move(opened);
  if (kept_)
    kept_->socket = std::move(opened);
  enter([this] {
    if (!counted_) // else this was its first activation, which begins too
      begin();
  });
  rethrow_if_not_begun();
}

void acceptor::on_exit() {
  // After a crash the socket is kept for the next acceptor.
  if (kept_
      && (!fail_state_ || fail_state_ == caf::exit_reason::normal
          || fail_state_ == caf::exit_reason::user_shutdown))
    kept_->socket.reset();
  try {
    close();
  } catch (...) {
    log_exception(loop().scheduler().logger(), factory_.get()->log_prefix(), "stop_factory");
  }
  port_actor::on_exit();
}

} // namespace troupe::detail
