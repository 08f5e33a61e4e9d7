#include <troupe/websocket/detail/message_transport.hpp>

#include <stdexcept>
#include <string>
#include <utility>

#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/websocket/detail/utf8_checker.hpp>
#include <troupe/websocket/websocket_protocol.hpp>

namespace troupe::detail {

/// Calls the producer as the WebSocket, whoever's connection it is: that of HTTP, or its own.
class message_transport::entering final : public producer {
public:
  entering(message_transport& owner, producer& inner) : owner_(owner), inner_(&inner) {}

  void resume_producing() override {
    call("resume_producing", [this] { inner_->resume_producing(); });
  }
  void pause_producing() override {
    call("pause_producing", [this] { inner_->pause_producing(); });
  }
  void stop_producing() override {
    const auto self = std::move(owner_.producer_);
    call("stop_producing", [this] { inner_->stop_producing(); });
  }

private:
  template <class F>
  void call(const char* name, F&& fn) {
    owner_.owner_.enter(name, [&] { in_callback(name, fn); });
  }

  message_transport& owner_;
  producer* inner_;
};

message_transport::message_transport(websocket_protocol& owner) noexcept : owner_(owner) {}

message_transport::~message_transport() = default;

void message_transport::write(bytes_view data) {
  const auto text = as_text(data);
  owner_.send_message(owner_.writes_binary_ || !is_utf8(text) ? websocket_opcode::binary
                                                              : websocket_opcode::text,
                      text);
}

void message_transport::write_sequence(std::span<const bytes_view> pieces) {
  std::string all;
  for (const auto piece : pieces)
    all += as_text(piece);
  write(as_bytes(all));
}

void message_transport::lose_connection() {
  if (owner_.state_ <= websocket_protocol::state::connecting)
    return below_->lose_connection(); // nobody to say goodbye to
  owner_.close(owner_.leaving_ ? websocket_code::going_away : websocket_code::normal);
}

void message_transport::abort_connection() {
  below_->abort_connection();
}

void message_transport::register_producer(producer& p, bool streaming) {
  if (producer_)
    throw std::logic_error("register_producer: a producer is registered already");
  producer_ = std::make_unique<entering>(*this, p);
  if (disconnecting())
    return producer_->stop_producing();
  below_->register_producer(*producer_, streaming);
}

void message_transport::unregister_producer() {
  below_->unregister_producer();
  producer_.reset();
}

void message_transport::stop_producer() {
  if (!producer_)
    return;
  below_->unregister_producer();
  producer_->stop_producing();
}

void message_transport::pause_producing() {
  paused_ = true;
  below_->pause_producing();
}

void message_transport::resume_producing() {
  if (!std::exchange(paused_, false))
    return;
  if (owner_.kept_)
    owner_.deliver_later();
  else
    below_->resume_producing();
}

void message_transport::hold_input(bool stopped) {
  held_ = stopped;
  if (below_ == nullptr)
    return;
  below_->hold_input(stopped);
  if (!paused() && owner_.kept_)
    owner_.deliver_later();
}

void message_transport::set_output_limits(const output_limits& limits) {
  below_->set_output_limits(limits);
}

std::size_t message_transport::unsent() const noexcept {
  return below_->unsent();
}

std::uint64_t message_transport::refused_writes() const noexcept {
  return refused_ + below_->refused_writes();
}

std::uint64_t message_transport::bytes_received() const noexcept {
  return below_->bytes_received();
}

std::uint64_t message_transport::bytes_written() const noexcept {
  return below_->bytes_written();
}

void message_transport::protocol_ended() {
  if (host_ != nullptr)
    host_->websocket_ended();
  else
    below_->protocol_ended();
}

net_address message_transport::get_peer() const {
  return below_->get_peer();
}

net_address message_transport::get_host() const {
  return below_->get_host();
}

std::optional<peer_credentials> message_transport::get_peer_credentials() const {
  return below_->get_peer_credentials();
}

bool message_transport::connected() const noexcept {
  return below_->connected();
}

bool message_transport::disconnecting() const noexcept {
  return !owner_.is_open() || below_->disconnecting();
}

void message_transport::set_tcp_no_delay(bool on) {
  below_->set_tcp_no_delay(on);
}

bool message_transport::get_tcp_no_delay() const {
  return below_->get_tcp_no_delay();
}

void message_transport::set_tcp_keep_alive(bool on) {
  below_->set_tcp_keep_alive(on);
}

bool message_transport::get_tcp_keep_alive() const {
  return below_->get_tcp_keep_alive();
}

} // namespace troupe::detail
