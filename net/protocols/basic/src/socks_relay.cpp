#include "socks_relay.hpp"

#include <utility>

#include <troupe/net/protocol_wrapper.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe::detail {

namespace {

failure refusal(const socks_client_parser& parser) {
  const auto text = "SOCKS server: " + std::string{to_string(parser.reply())} + " ("
                    + std::to_string(parser.number()) + ')';
  switch (parser.reply()) {
  case socks_reply::refused:
    return {errc::connection_refused, text};
  case socks_reply::network_unreachable:
  case socks_reply::host_unreachable:
    return {errc::no_route, text};
  case socks_reply::timed_out:
    return {errc::timed_out, text};
  default:
    return {errc::connect_failed, text};
  }
}

} // namespace

// -- the attempt ----------------------------------------------------------------------------------

void socks_attempt::succeed(const connected_protocol& p) {
  if (auto w = std::exchange(waiting, std::nullopt); w && !w->called())
    w->callback(p);
}

void socks_attempt::fail(const failure& why) {
  if (auto w = std::exchange(waiting, std::nullopt); w && !w->called())
    w->errback(why);
  stop_inner();
}

void socks_attempt::stop_inner() {
  if (!std::exchange(started, false))
    return;
  bool lives = false;
  inner.get()->enter([&] {
    lives = true;
    inner.get()->do_stop();
  });
  if (!lives) // the runtime stops, and it had no connection any more
    inner.get()->do_stop();
}

// -- the wrapper ----------------------------------------------------------------------------------

/// What the inner protocol takes for its transport: the relay's.
class socks_relay::lent final : public protocol_wrapper {
public:
  explicit lent(socks_relay& of) noexcept : relay_(&of) {}

  void register_producer(producer& p, bool streaming) override {
    producer_ = &p;
    protocol_wrapper::register_producer(p, streaming);
  }
  void unregister_producer() override {
    producer_ = nullptr;
    protocol_wrapper::unregister_producer();
  }
  [[nodiscard]] net_address get_peer() const override { return relay_->attempt_->target; }

  // The inner protocol ends by itself, and the connection with it.
  void protocol_ended() override { relay_->inner_ended(); }
  std::string log_prefix() const override { return "through SOCKS"; }

  /// As a transport does for a protocol that is told of no half-close.
  void close_behind_output() {
    if (auto* const p = std::exchange(producer_, nullptr)) {
      protocol_wrapper::unregister_producer();
      p->stop_producing();
    }
    lose_connection();
  }

private:
  socks_relay* const relay_;
  producer* producer_ = nullptr;
};

// -- the relay ------------------------------------------------------------------------------------

socks_relay::socks_relay(caf::actor_config& cfg, std::shared_ptr<socks_attempt> of)
  : protocol(cfg), attempt_(std::move(of)) {}

void socks_relay::connection_made() {
  attempt_->relay = this;
  if (!attempt_->waiting || attempt_->waiting->called()) // nobody wants it any more
    return transport().abort_connection();
  if (attempt_->timeout != duration::max())
    call_later(attempt_->timeout, [this] {
      if (!inner_ && connected())
        give_up({errc::timed_out, "the handshake with the SOCKS server"});
    });
  transport().write(attempt_->parser.begin());
}

void socks_relay::data_received(bytes_view data) {
  if (inner_)
    return as_inner("data_received", [&] { inner_->receive(data); });
  if (!why_)
    handshake(as_text(data));
}

void socks_relay::handshake(std::string_view in) {
  for (;;) {
    switch (attempt_->parser.next(in)) {
    case socks_client_parser::status::more:
      return;
    case socks_client_parser::status::send:
      transport().write(attempt_->parser.to_send());
      continue;
    case socks_client_parser::status::granted:
      lend();
      if (!in.empty() && inner_ && inner_->connected() && !transport().disconnecting())
        as_inner("data_received", [&] { inner_->receive(as_bytes(in)); });
      return;
    case socks_client_parser::status::refused:
      return give_up(refusal(attempt_->parser));
    case socks_client_parser::status::login_failed:
      return give_up({errc::connect_failed, "SOCKS server: it refuses user and password"});
    case socks_client_parser::status::no_method:
      return give_up({errc::connect_failed, "SOCKS server: it wants another kind of login"});
    case socks_client_parser::status::malformed:
      return give_up({errc::malformed_input, "this is no answer of a SOCKS server"});
    }
  }
}

void socks_relay::give_up(const failure& why) {
  why_ = why;
  transport().abort_connection();
}

template <class F>
void socks_relay::as_inner(const char* callback, F&& fn) {
  inner_->enter(callback, [&] { in_callback(callback, fn); });
}

// Builds the inner protocol, and connects it.
void socks_relay::lend() {
  protocol_ptr built;
  auto* const f = attempt_->inner.get();
  f->enter([&] { built = f->build(attempt_->target, loop()); });
  if (!built)
    return give_up(errc::no_protocol);
  auto wrapper = std::make_unique<lent>(*this);
  lent_ = wrapper.get();
  built->wrap(std::move(wrapper));
  inner_ = std::move(built);
  inner_->enter("connection_made", [&] { inner_->make_connection(transport()); });
  if (over_ || !inner_->connected()) // it has ended by itself
    return attempt_->fail(errc::connection_lost);
  attempt_->succeed(connected_protocol{caf::strong_actor_ptr{inner_->ctrl()}});
}

void socks_relay::inner_ended() {
  inner_gone_ = true;
  if (!std::exchange(over_, true))
    quit();
}

void socks_relay::read_connection_lost() {
  if (!inner_)
    return transport().lose_connection(); // the server hangs up
  if (auto* const h = dynamic_cast<half_closeable*>(inner_.get()))
    return as_inner("read_connection_lost", [&] { h->read_connection_lost(); });
  as_inner("stop_producing", [&] { lent_->close_behind_output(); });
}

void socks_relay::write_connection_lost() {
  if (auto* const h = inner_ ? dynamic_cast<half_closeable*>(inner_.get()) : nullptr)
    as_inner("write_connection_lost", [&] { h->write_connection_lost(); });
}

void socks_relay::connection_lost(const failure& reason) {
  over_ = true;
  attempt_->relay = nullptr;
  if (inner_ && !inner_gone_)
    inner_->end_connection(reason);
  const failure hung_up{errc::connection_lost, "the SOCKS server has hung up"};
  attempt_->fail(why_ ? why_ : reason.check(errc::connection_done) ? hung_up : reason);
}

} // namespace troupe::detail
