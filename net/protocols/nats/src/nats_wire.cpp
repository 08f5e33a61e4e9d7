#include "nats_wire.hpp"

#include <limits>

#include <troupe/nats/nats_errc.hpp>
#include <troupe/runtime/threads.hpp>

#include "nats_core.hpp"
#include "nats_handshake.hpp"

namespace troupe::detail {

namespace {

// A server that goes on talking and never answers a PING is no server.
constexpr std::size_t most_unanswered = 32;

// One that asks and asks, and does not take the answers, is none either.
constexpr std::size_t most_unsent_pongs = 32;

nats_decoder_limits limits_of(const std::weak_ptr<nats_core>& core) {
  nats_decoder_limits limits;
  if (const auto c = core.lock())
    limits.max_message = c->options().max_message;
  return limits;
}

} // namespace

nats_wire::nats_wire(caf::actor_config& cfg, std::weak_ptr<nats_core> core)
  : protocol(cfg), core_(std::move(core)), decoder_(limits_of(core_)) {}

void nats_wire::connection_made() {
  const auto core = core_.lock();
  if (!core)
    return fail(errc::cancelled);
  server_ = core->server();
  const auto& o = core->options();
  // What waits is bounded by the core, which can refuse a message; here it would cost the connection.
  transport().set_output_limits({.hard = std::numeric_limits<std::size_t>::max()});
  if (o.connect_timeout != duration::max())
    call_later(o.connect_timeout, [this] {
      static constexpr const char* missing[] = {"there is no INFO", "the TLS handshake is not done",
                                                "the credentials are not read", "there is no PONG"};
      if (state_ < state::established)
        fail({errc::timed_out, missing[static_cast<int>(state_)]});
    });
  if (o.tls_first)
    begin_tls({});
}

void nats_wire::begin_tls(bytes_view received) {
  const auto core = core_.lock();
  if (!core)
    return fail(errc::cancelled);
  tls_ = true;
  if (!core->options().tls_first)
    state_ = state::tls;
  try {
    start_tls(transport(), core->tls(), server_.tls_name.empty() ? server_.host : server_.tls_name,
              received);
  } catch (const std::exception&) { // such as no trusted certificates on this system
    fail(failure::current());
  }
}

void nats_wire::handshake_completed() {
  if (state_ == state::tls) // else INFO is still to come
    authenticate();
}

void nats_wire::data_received(bytes_view data) {
  heard_ = true;
  const auto core = core_.lock();
  if (!core || state_ == state::over) {
    fail(errc::cancelled);
    return;
  }
  present_ = core.get();
  const auto r = decoder_.feed(as_text(data), *this);
  present_ = nullptr;
  if (r.error)
    return fail(r.error);
  if (state_ == state::tls)
    begin_tls(as_bytes(r.rest));
}

void nats_wire::info_received(std::string_view json) {
  auto parsed = nats_server_info::parse(json);
  if (!parsed)
    return fail(parsed.error());
  const auto nonce = std::move(info_.nonce);
  info_ = *std::move(parsed);
  if (state_ == state::info)
    return greet();
  if (info_.nonce.empty())
    info_.nonce = nonce;
  if (state_ == state::established)
    present_->info_changed(info_);
}

void nats_wire::greet() {
  const bool wanted = server_.tls || present_->options().tls.has_value();
  if (tls_) // it began with that
    return authenticate();
  if (wanted && !info_.tls_required && !info_.tls_available)
    return fail({errc::tls_failed, "the server does not speak TLS"});
  if (!wanted && !info_.tls_required)
    return authenticate();
  state_ = state::tls;
  decoder_.stop(); // what follows is the handshake's
}

void nats_wire::authenticate() {
  const auto core = core_.lock();
  if (!core)
    return fail(errc::cancelled);
  const auto& who = std::holds_alternative<std::monostate>(server_.credentials)
                      ? core->options().credentials
                      : server_.credentials;
  const auto* const file = std::get_if<nats_creds_file>(&who);
  if (file == nullptr)
    return connect(who, std::nullopt);
  state_ = state::credentials;
  defer_to_thread(*this, [path = file->path] { return nats_creds::read(path); })
    .add_callbacks(
      [this](const nats_creds& creds) {
        if (state_ == state::credentials)
          connect(std::monostate{}, creds);
      },
      [this](const failure& why) { fail(why); });
}

void nats_wire::connect(const nats_credentials& who, const std::optional<nats_creds>& creds) {
  const auto core = core_.lock();
  if (!core)
    return fail(errc::cancelled);
  if (std::holds_alternative<nkey>(who) && info_.nonce.empty())
    return fail({make_error_code(nats_errc::authorization_violation),
                 "the server asks for no signature, so it knows no keys"});
  state_ = state::pong;
  write(connect_line(info_, core->options(), who, creds, tls_) + "\r\nPING\r\n");
}

void nats_wire::message_received(std::uint64_t sid, const nats_message_view& message) {
  if (state_ == state::established)
    present_->deliver(sid, message);
}

void nats_wire::ping_received() {
  const auto waiting = unsent();
  unsent_pongs_ = waiting == 0 ? 0 : unsent_pongs_ + 1;
  // What else waits may be as much, so the PINGs alone do not say so.
  const auto core = core_.lock();
  if (unsent_pongs_ > most_unsent_pongs && core && waiting > core->options().max_unsent)
    return fail({errc::queue_overflow, "it sends PINGs and does not take the answers"});
  write("PONG\r\n");
}

void nats_wire::pong_received() {
  if (state_ == state::pong) {
    state_ = state::established;
    present_->opened(*this, info_);
    if (state_ != state::established)
      return; // an observer has ended it
    watch();
    if (!ready_.called())
      ready_.callback();
    return;
  }
  if (state_ != state::established || pongs_.empty())
    return; // nobody asked; harmless
  auto p = std::move(pongs_.front());
  pongs_.pop_front();
  if (!p)
    --pings_;
  else if (!p->called())
    p->callback();
}

void nats_wire::error_received(std::string_view text) {
  const auto why = failure_of(text);
  if (state_ != state::established || ends_connection(text))
    return fail(why);
  present_->complained(text, why);
}

void nats_wire::fail(const failure& why) {
  if (state_ == state::over)
    return;
  if (connected()) {
    lose_connection(why);
    transport().abort_connection();
  }
  over(why);
}

void nats_wire::leave(const failure& why) {
  if (state_ == state::over)
    return;
  if (connected())
    lose_connection(why);
  over(why);
}

void nats_wire::connection_lost(const failure& reason) {
  over(reason.check(errc::connection_done)
         ? failure{errc::connection_lost, "the server has closed the connection"}
         : reason);
}

void nats_wire::over(const failure& why) {
  if (std::exchange(state_, state::over) == state::over)
    return;
  decoder_.stop();
  auto waiting = std::exchange(pongs_, {});
  if (const auto core = core_.lock())
    core->lost(*this, why);
  for (auto& p : waiting)
    if (p && !p->called())
      p->errback(why);
  if (!ready_.called())
    ready_.errback(why);
}

void nats_wire::write(std::string_view lines) {
  if (connected())
    transport().write(lines);
}

void nats_wire::write(std::string_view head, std::string_view headers, std::string_view payload) {
  if (connected())
    transport().write_sequence({head, headers, payload, "\r\n"});
}

void nats_wire::ping(std::optional<promise<void>> p) {
  pongs_.push_back(std::move(p));
  write("PING\r\n");
}

// -- whether the server is still there ------------------------------------------------------------

void nats_wire::watch() {
  const auto core = core_.lock();
  if (!core || core->options().ping_interval == duration::max())
    return;
  const auto interval = core->options().ping_interval;
  due_ = saturating_add(loop().time(), interval);
  call_later(interval, [this] { look(); });
}

void nats_wire::look() {
  const auto core = core_.lock();
  if (!core || state_ != state::established)
    return;
  const auto& o = core->options();
  const bool would_end = !heard_ && silent_ + 1 >= o.max_pings_out;
  if (would_end && !patience_.is_over(loop(), due_, o.ping_interval)) {
    call_later(duration::zero(), [this] { look(); }); // what came during a pause is read first
    return;
  }
  silent_ = heard_ ? 0 : silent_ + 1;
  heard_ = false;
  if (silent_ >= o.max_pings_out)
    return fail({make_error_code(nats_errc::stale_connection), "nothing has come from it"});
  if (pings_ >= most_unanswered)
    return fail({make_error_code(nats_errc::stale_connection), "it answers no PING"});
  ++pings_;
  ping(std::nullopt);
  watch();
}

} // namespace troupe::detail
