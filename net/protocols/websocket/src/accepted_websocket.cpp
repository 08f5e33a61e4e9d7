#include "accepted_websocket.hpp"

#include <utility>

#include <caf/actor_cast.hpp>

namespace troupe::detail {

accepted_websocket::accepted_websocket(protocol& connection, builder<websocket_protocol> make,
                                       std::shared_ptr<const websocket_options> options,
                                       std::string subprotocol, std::optional<int> deflate_bits)
  : connection_(connection),
    plan_(std::make_unique<plan>(
      plan{std::move(make), std::move(options), std::move(subprotocol), deflate_bits})) {}

accepted_websocket::~accepted_websocket() = default;

websocket_protocol& accepted_websocket::build() {
  if (const auto how = std::move(plan_)) {
    actor_ = how->make(connection_.system(), connection_.loop());
    auto& made = *static_cast<websocket_protocol*>(caf::actor_cast<caf::abstract_actor*>(actor_));
    made.set_up(std::move(how->options), std::move(how->subprotocol), how->deflate_bits);
  }
  return *static_cast<websocket_protocol*>(caf::actor_cast<caf::abstract_actor*>(actor_));
}

protocol_ptr accepted_websocket::successor() {
  build();
  return protocol_ptr{actor_};
}

void accepted_websocket::taken_over(transport& t) {
  if (&t != &connection_.transport())
    stream_ = &t;
  auto& socket = build();
  socket_ = &socket;
  socket.set_host(*this);
  socket.enter("connection_made", [&] { socket.make_connection(t); });
}

void accepted_websocket::data_received(bytes_view data) {
  if (auto* const s = socket_)
    s->enter("data_received", [&] { s->receive(data); });
}

void accepted_websocket::connection_lost(const failure& reason) {
  if (auto* const s = std::exchange(socket_, nullptr))
    s->end_connection(reason);
  actor_ = nullptr;
}

// If the runtime stops, the WebSocket hears of it itself, too.
void accepted_websocket::stop_requested(transport&) {
  if (auto* const s = socket_)
    s->enter("drain_requested", [s] { s->drain_requested(); });
}

void accepted_websocket::websocket_ended() {
  if (std::exchange(socket_, nullptr) == nullptr)
    return;
  if (stream_ != nullptr)
    stream_->protocol_ended();
  else
    connection_.quit();
}

} // namespace troupe::detail
