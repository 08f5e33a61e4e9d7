#include "datagram_socket.hpp"

#include <cerrno>
#include <stdexcept>

#include <spdlog/logger.h>
#include <sys/socket.h>

#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe::detail {

namespace {

constexpr const char* to_its_protocol = "send the protocol a message, or use run_as";

} // namespace

datagram_socket::datagram_socket(event_loop& loop, listening_socket socket, const limits& l)
  : loop_(loop), memory_(asio::use_service<datagram_memory>(loop.io())),
    belongings_(std::move(socket.belongings)), limits_(l),
    host_(native_address::local(socket.fd.get())), peer_(native_address::peer(socket.fd.get())),
    runs_(l.runs) {
  socket_.emplace(loop.io(), socket.fd.get());
  static_cast<void>(socket.fd.release());
}

datagram_socket::~datagram_socket() = default;

void datagram_socket::open(datagram_protocol& p) {
  protocol_ = &p;
  self_ = shared_from_this();
  wait_readable();
  p.make_connection(*this, groups());
}

net_address datagram_socket::get_peer() const {
  return peer_.length != 0 ? peer_.to_address() : net_address{};
}

std::error_code datagram_socket::connect(const net_address& peer) {
  loop_.expect_here("connect", to_its_protocol);
  if (!takes_output())
    return errc::not_listening;
  if (peer_.length != 0)
    throw std::logic_error("connect: the port is connected already");
  native_address to;
  if (const auto wrong = resolve(peer, to))
    return wrong;
  destination_ = to;
  if (const int error = connect_socket(); error != 0)
    return {error, std::system_category()};
  host_ = native_address::local(fd());
  return {};
}

int datagram_socket::connect_socket() noexcept {
  if (::connect(fd(), destination_.get(), destination_.length) != 0)
    return errno;
  peer_ = native_address::peer(fd());
  return 0;
}

// -- the end ------------------------------------------------------------------------------------

chained<void> datagram_socket::stop_listening() {
  loop_.expect_here("stop_listening", "use that of the datagram_port");
  if (!is_open())
    return chained<void>(succeed());
  closing_ = true;
  mark_dirty();
  return protocol_->when_stopped();
}

void datagram_socket::turn_ended() noexcept {
  if (!is_open())
    return;
  const auto self = shared_from_this();
  flush();
  dirty_ = false; // what is written from here on waits for the next turn
  if (std::exchange(refused_, false) && takes_output() && peer_.length != 0)
    protocol_->enter("connection_refused", [p = protocol_] { p->deliver_refusal(); });
  if (!closing_ || !is_open())
    return;
  auto* const p = protocol_;
  close();
  p->end_connection();
}

void datagram_socket::protocol_ended() noexcept {
  if (!is_open())
    return;
  const auto self = shared_from_this();
  flush();
  close();
}

void datagram_socket::close() noexcept {
  try {
    loop_.scheduler().logger().info("{} stopped on {}", protocol_->log_prefix(),
                                    get_host().to_string());
  } catch (...) { // log_prefix is the user's
  }
  if (std::exchange(dirty_, false))
    loop_.forget(*this);
  closing();
  counters_.lost += queue_.size() - first_ + aside_.count;
  aside_ = {};
  drop_first(queue_.size() - first_);
  protocol_ = nullptr;
  asio::error_code ignored;
  socket_->close(ignored);
  belongings_.reset();
  self_.reset(); // who called keeps this object
}

} // namespace troupe::detail
