#include <troupe/net/protocol.hpp>

#include <stdexcept>

#include <spdlog/logger.h>

#include <troupe/net/factory.hpp>
#include <troupe/net/protocol_wrapper.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "connection_counts.hpp"

namespace troupe {

protocol::protocol(caf::actor_config& cfg) : super(cfg) {}

protocol::~protocol() {
  delete wrapper();
}

void protocol::make_connection(troupe::transport& t) {
  connected_ = true;
  if (wrapped_)
    wrapper()->attach(t);
  else
    transport_ = &t;
  if (held_back()) [[unlikely]]
    transport_->hold_input(true);
  if (auto& log = loop().scheduler().logger(); log.should_log(spdlog::level::debug))
    log.debug("[{}] connected with {}", log_owner(), t.get_peer().to_string());
  detail::in_callback("connection_made", [this] { connection_made(); });
}

bool protocol::hand_over(protocol& next) {
  auto* const outermost = wrapped_ ? wrapper()->outermost() : nullptr;
  auto& t = outermost != nullptr ? outermost->inner() : *transport_;
  if (next.getf(is_cleaned_up_flag) || !transport_->serve(next))
    return false;
  if (held_back())
    t.hold_input(false);
  connected_ = false;
  next.factory_ = std::move(factory_);
  next.wrapped_ = std::exchange(wrapped_, false);
  next.transport_ = std::exchange(transport_, nullptr);
  for (auto* w = next.wrapper(); w != nullptr; w = w->next())
    w->protocol_ = &next;
  next.enter("connection_made", [&] { next.make_connection(t); });
  if (!next.connected_)
    t.protocol_ended(); // does nothing if that has been called, as it was connected
  quit();
  return true;
}

void protocol::hold_back(bool stopped) {
  super::hold_back(stopped);
  if (connected_)
    transport_->hold_input(stopped);
}

void protocol::data_received(bytes_view) {}

void protocol::connection_lost(const failure&) {}

void protocol::refuse_transport() const {
  throw std::logic_error("transport(): the protocol has no connection: there is one from "
                         "connection_made to connection_lost, and not in the constructor");
}

caf::actor protocol::factory() const {
  return caf::actor_cast<caf::actor>(factory_);
}

std::string protocol::log_name() const {
  auto name = log_owner();
  if (connected_ && transport_ != nullptr)
    if (const auto peer = transport_->get_peer().to_string(); !peer.empty())
      name += ' ' + peer;
  if (const auto role = loop().scheduler().role_of(id()); !role.empty())
    name += ", " + role;
  return name;
}

const char* protocol::name() const {
  return "protocol";
}

actor_description protocol::describe() const {
  auto name = log_owner();
  if (connected_)
    name += " " + transport_->get_peer().to_string();
  return {"connection", std::move(name)};
}

// -- wrappers -----------------------------------------------------------------------------------

protocol_wrapper* protocol::wrapper() const noexcept {
  return wrapped_ ? static_cast<protocol_wrapper*>(transport_) : nullptr;
}

void protocol::wrap(std::unique_ptr<protocol_wrapper> w) {
  if (connected_)
    throw std::logic_error("wrap: the protocol is connected already");
  w->protocol_ = this;
  if (auto* const nearest = wrapper()) {
    auto* const outermost = nearest->outermost();
    w->toward_protocol_ = outermost;
    outermost->next_ = std::move(w);
  } else {
    transport_ = w.release();
    wrapped_ = true;
  }
}

void protocol::receive_wrapped(bytes_view data) {
  wrapper()->outermost()->data_received(data);
}

std::string protocol::log_owner() const {
  return wrapped_ ? wrapper()->outermost()->log_prefix() : log_prefix();
}

// -- the end ------------------------------------------------------------------------------------

void protocol::end_connection(const failure& reason) {
  if (!reason_)
    reason_ = reason;
  enter("connection_lost", [this] { quit(exit_reason(reason_, errc::connection_done)); });
}

void protocol::stop_requested() {
  if (!connected())
    return super::stop_requested();
  lose_connection(errc::runtime_stopped);
}

void protocol::lose_connection(const failure& reason) {
  if (!reason_)
    reason_ = reason;
  transport_->lose_connection();
}

void protocol::fail_with_current_exception() {
  reason_ = failure::current();
  super::fail_with_current_exception();
}

void protocol::on_exit() {
  // Nothing may leave here: the actor ends in a destructor (pinned_actor::enter).
  detail::ended_connection ended{.connected = connected_};
  if (!reason_)
    reason_ = quit_reason();
  if (connected_) {
    guarded("last_words", [this] { last_words(); });
    // Does nothing where it was the transport that ended.
    guarded("stop_producing", [this] { transport_->protocol_ended(); });
    for (auto* w = wrapper() != nullptr ? wrapper()->outermost() : nullptr; w != nullptr;
         w = w->toward_protocol_)
      guarded("a wrapper's connection_lost", [&] { w->connection_lost(reason_); });
    if (auto& log = loop().scheduler().logger(); log.should_log(spdlog::level::debug)) {
      const auto& t = transport_->underlying();
      log.debug("[{}] connection with {} ended, {} bytes received, {} written: {}", log_owner(),
                t.get_peer().to_string(), t.bytes_received(), t.bytes_written(), reason_.message());
    }
    guarded("connection_lost", [this] { connection_lost(reason_); });
    ended.refused_writes = transport_->refused_writes();
    connected_ = false;
    if (!wrapped_)
      transport_ = nullptr;
  }
  ended.reason = detail::connection_counts::code_of(reason_);
  for (auto* w = wrapper(); w != nullptr; w = w->next()) {
    guarded("a wrapper's ended", [&] { w->ended(); });
    if (w->factory_)
      factory::child_ended(std::move(w->factory_), ended);
  }
  if (factory_)
    factory::child_ended(std::move(factory_), ended);
  super::on_exit();
}

} // namespace troupe
