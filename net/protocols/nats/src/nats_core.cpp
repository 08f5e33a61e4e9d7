#include "nats_core.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <stdexcept>
#include <utility>

#include <openssl/rand.h>
#include <spdlog/logger.h>

#include <troupe/nats/nats_encoder.hpp>
#include <troupe/nats/nats_subject.hpp>
#include <troupe/net/detail/request_core.hpp>
#include <troupe/net/tcp_endpoint.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/repeats.hpp>

#include "nats_handshake.hpp"
#include "nats_wire.hpp"

namespace troupe::detail {

namespace {

void check(const nats_options& o) {
  const auto refuse = [](const char* what) {
    throw std::invalid_argument(what);
  };
  if (o.connect_timeout <= duration::zero())
    refuse("nats_options::connect_timeout: it must be more than 0");
  if (o.ping_interval <= duration::zero())
    refuse("nats_options::ping_interval: it must be more than 0");
  if (o.max_pings_out == 0)
    refuse("nats_options::max_pings_out: it must be 1 or more");
  if (o.reconnect.initial < duration::zero() || o.reconnect.max < duration::zero())
    refuse("nats_options::reconnect: a negative time");
  if (!valid_nats_subject(o.inbox_prefix) || o.inbox_prefix.size() > 256)
    refuse("nats_options::inbox_prefix: this cannot be the beginning of a subject");
}

duration up_to(duration most) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::duration_cast<duration>(std::chrono::duration<double, std::nano>(
    std::uniform_real_distribution<double>(0, static_cast<double>(most.count()))(random)));
}

// Nobody can guess it, so nobody else subscribes to it, or answers in another's place.
std::string random_token() {
  static constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::array<unsigned char, 22> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw std::runtime_error("nats_connection: there are no random bytes");
  std::string out;
  for (const auto b : bytes)
    out += alphabet[b & 63];
  return out;
}

} // namespace

/// Connects to the next server each time.
class nats_core::endpoint final : public client_endpoint {
public:
  explicit endpoint(std::weak_ptr<nats_core> core) : core_(std::move(core)) {}

  deferred<connected_protocol> connect(const factory_ref& f) override {
    const auto core = core_.lock();
    if (!core)
      return fail<connected_protocol>(errc::cancelled);
    const auto& url = core->pool_.take();
    const auto& o = core->options_;
    const std::shared_ptr<client_endpoint> to =
      o.reach ? o.reach(url)
              : std::make_shared<tcp_client_endpoint>(
                core->rt_, url.host, url.port, connect_options{.timeout = o.connect_timeout});
    if (!to)
      return fail<connected_protocol>(failure{errc::connect_failed, url.name()});
    return to->connect(f).add_callback([to](connected_protocol p) { return p; });
  }

private:
  const std::weak_ptr<nats_core> core_;
};

std::shared_ptr<nats_core> nats_core::make(runtime& rt, nats_options options) {
  check(options);
  auto core = std::make_shared<nats_core>(rt, std::move(options));
  const std::weak_ptr<nats_core> weak = core;
  core->service_ = std::make_shared<client_service>(
    rt, std::make_shared<endpoint>(weak), factory::for_protocol<nats_wire>(weak),
    client_service_options{.retry =
                             [weak](std::size_t attempt) {
                               const auto c = weak.lock();
                               return c ? c->wait_before(attempt) : duration::zero();
                             },
                           .prepare_connection =
                             [](const connected_protocol& p) {
                               auto* const w = p.local<nats_wire>();
                               return w != nullptr ? w->handshake() : fail(errc::no_protocol);
                             },
                           .clock = core->options_.clock});
  return core;
}

nats_core::nats_core(runtime& rt, nats_options options)
  : rt_(rt), loop_(request_home_of(rt).loop), options_(std::move(options)),
    clock_(options_.clock != nullptr ? *options_.clock : request_home_of(rt).time),
    pool_(options_.servers, options_.randomize),
    inbox_(options_.inbox_prefix + '.' + random_token() + '.') {}

nats_core::~nats_core() = default;

const tls_client_context& nats_core::tls() {
  if (!tls_)
    tls_ = options_.tls ? *options_.tls : tls_client_context{};
  return *tls_;
}

// -- connecting -----------------------------------------------------------------------------------

deferred<void> nats_core::start() {
  closed_ = false;
  draining_ = false;
  return service_->start_service();
}

deferred<void> nats_core::stop() {
  const auto self = shared_from_this();
  closed_ = true;
  was_connected_ = false;
  kept_.clear();
  kept_size_ = 0;
  fail_requests(errc::cancelled, true);
  if (auto* const w = wire_)
    w->leave(errc::cancelled); // what is written is sent; nothing is delivered from here on
  pings_fail(errc::cancelled);
  return service_->stop_service();
}

void nats_core::abandon() {
  const auto self = shared_from_this();
  (void)stop();
  while (!subscriptions_.empty())
    finish(subscriptions_.begin()->second, errc::cancelled);
}

deferred<void> nats_core::when_connected(std::optional<std::size_t> failures) {
  return service_->when_connected(failures).add_callback([](const connected_protocol&) {});
}

duration nats_core::wait_before(std::size_t attempt) const {
  const auto& r = options_.reconnect;
  const auto jitter = r.jitter ? r.jitter() : up_to(std::chrono::milliseconds(100));
  const auto servers = pool_.size();
  if (attempt % servers != 0)
    return jitter; // another one has its turn
  const auto round = static_cast<double>(attempt / servers) - 1;
  return saturating_add(std::min(saturating_multiply(r.initial, std::pow(r.factor, round)), r.max),
                        jitter);
}

void nats_core::opened(nats_wire& w, const nats_server_info& info) {
  const auto self = shared_from_this();
  if (closed_)
    return;
  wire_ = &w;
  info_ = info;
  ++counts_.connects;
  scratch_.clear();
  if (inbox_sid_ != 0)
    nats_encoder::append_subscribe(scratch_, inbox_ + '*', {}, inbox_sid_);
  for (const auto& [sid, s] : subscriptions_) {
    s->refused = {};
    nats_encoder::append_subscribe(scratch_, s->pattern, s->options.queue, sid);
    if (s->options.max_messages != 0)
      nats_encoder::append_unsubscribe(scratch_, sid, s->options.max_messages - s->received);
  }
  if (!scratch_.empty())
    w.write(scratch_);
  scratch_ = std::string{};
  send_kept();
  for (auto& p : std::exchange(flushes_, {}))
    if (!p.called())
      w.ping(std::move(p));
  learn(info);
  if (wire_ != &w)
    return; // one of those who were told has stopped us
  announce(std::exchange(was_connected_, true) ? nats_event::kind::reconnected
                                               : nats_event::kind::connected,
           server().name());
}

void nats_core::send_kept() {
  failure why;
  kept_size_ = 0;
  for (auto& k : std::exchange(kept_, {})) {
    if (k.token != 0) {
      const auto found = requests_.find(k.token);
      if (found == requests_.end())
        continue; // nobody waits for it any more
      found->second.sent = true;
    }
    const auto code = k.headers && !info_.headers
                        ? make_error_code(nats_errc::headers_not_supported)
                      : k.payload > info_.max_payload ? make_error_code(errc::message_too_long)
                                                      : std::error_code{};
    if (!code) {
      wire_->write(k.bytes);
      continue;
    }
    ++counts_.refused;
    why = failure{code, "published while there was no connection"};
    if (k.token != 0)
      take_request(k.token, why);
    if (wire_ == nullptr)
      break; // whoever asked has stopped us
  }
  if (why)
    announce(nats_event::kind::dropped, {}, why);
}

void nats_core::lost(nats_wire& w, const failure& why) {
  if (wire_ != &w)
    return;
  const auto self = shared_from_this();
  wire_ = nullptr;
  fail_requests(why, false);
  announce(nats_event::kind::disconnected, server().name(), why);
}

void nats_core::info_changed(const nats_server_info& info) {
  const bool was_lame = info_.lame_duck;
  info_ = info;
  learn(info);
  if (info.lame_duck && !was_lame)
    leave_lame_duck();
}

void nats_core::learn(const nats_server_info& info) {
  if (!options_.discover)
    return;
  for (auto& name : pool_.learn(info.connect_urls))
    announce(nats_event::kind::discovered, std::move(name));
}

// What was sent to us before the server hears of it still comes; then we go.
void nats_core::leave_lame_duck() {
  const auto self = shared_from_this();
  announce(nats_event::kind::lame_duck, server().name());
  if (pool_.size() < 2 || wire_ == nullptr)
    return;
  std::string out;
  for (const auto& [sid, s] : subscriptions_)
    nats_encoder::append_unsubscribe(out, sid);
  wire_->write(out);
  promise<void> gone;
  gone.get_deferred().add_callbacks(
    [weak = weak_from_this(), w = wire_] {
      const auto core = weak.lock();
      if (core && core->wire_ == w)
        w->leave({errc::connection_lost, "the server is about to end"});
    },
    [] {});
  wire_->ping(std::move(gone));
}

void nats_core::complained(std::string_view text, const failure& why) {
  const auto self = shared_from_this();
  if (const auto pattern = refused_subscription(text))
    for (const auto& [sid, s] : subscriptions_)
      if (s->pattern == *pattern && !s->refused) { // each is complained of
        s->refused = why;
        for (auto& p : std::exchange(s->waiting, {}))
          if (!p.called())
            p.errback(why);
        break;
      }
  announce(nats_event::kind::error, std::string{text.substr(0, 512)}, why);
}

// Trouble is told in the log too, whether or not anybody listens.
void nats_core::log(nats_event::kind what, const std::string& text, const failure& why) {
  const char* begin = nullptr;
  if (what == nats_event::kind::error)
    begin = "";
  else if (what == nats_event::kind::slow_consumer)
    begin = "messages are dropped of the subscription to ";
  else if (what == nats_event::kind::dropped)
    begin = "some of what was kept could not be sent: ";
  else
    return;
  const auto where = "nats " + server().name();
  rt_.repeats().note(where + ' ' + std::string{name(what)} + ' ' + text, log_level::warn, [&] {
    return '[' + where + "] " + begin
           + (what == nats_event::kind::slow_consumer ? text : why.message());
  });
}

void nats_core::announce(nats_event::kind what, std::string text, failure why) {
  log(what, text, why);
  if (!options_.on_event)
    return;
  try {
    options_.on_event({what, std::move(text), std::move(why)});
  } catch (...) {
    log_exception(loop_.scheduler().logger(), "nats " + server().name(), "on_event");
  }
}

// -- publishing -----------------------------------------------------------------------------------

std::size_t nats_core::unsent() const noexcept {
  return wire_ != nullptr ? wire_->unsent() : kept_size_;
}

std::error_code nats_core::publish(std::string_view subject, std::string_view payload,
                                   std::string_view reply, std::string_view header_block,
                                   std::uint64_t token) {
  if (!valid_nats_subject(subject) || (!reply.empty() && !valid_nats_subject(reply)))
    return make_error_code(errc::invalid_argument);
  if (closed_)
    return make_error_code(errc::not_connected);
  const auto size = header_block.size() + payload.size();
  const auto total = subject.size() + reply.size() + size;
  const auto refuse = [this](std::error_code code) {
    ++counts_.refused;
    return code;
  };
  if (wire_ != nullptr && !header_block.empty() && !info_.headers)
    return refuse(make_error_code(nats_errc::headers_not_supported));
  if (size > info_.max_payload)
    return refuse(make_error_code(errc::message_too_long));
  if (wire_ == nullptr) {
    if (options_.reconnect_buffer == 0)
      return refuse(make_error_code(errc::not_connected));
    kept k{{}, size, !header_block.empty(), token};
    if (kept_size_ + total + sizeof(kept) > options_.reconnect_buffer)
      return refuse(make_error_code(errc::queue_overflow));
    nats_encoder::append_publish(k.bytes, subject, reply, header_block, payload);
    kept_size_ += k.cost();
    kept_.push_back(std::move(k));
  } else {
    if (const auto waiting = wire_->unsent(); waiting != 0 && waiting + total > options_.max_unsent)
      return refuse(make_error_code(errc::queue_overflow));
    scratch_.clear();
    if (header_block.empty())
      nats_encoder::append_publish_line(scratch_, subject, reply, payload.size());
    else
      nats_encoder::append_publish_line(scratch_, subject, reply, header_block.size(),
                                        payload.size());
    wire_->write(scratch_, header_block, payload);
  }
  ++counts_.messages_published;
  counts_.bytes_published += total;
  return {};
}

deferred<void> nats_core::round_trip() {
  promise<void> p;
  auto d = p.get_deferred();
  if (wire_ != nullptr) {
    wire_->ping(std::move(p));
  } else {
    std::erase_if(flushes_, [](const promise<void>& f) { return f.called(); });
    flushes_.push_back(std::move(p));
  }
  return d;
}

deferred<void> nats_core::flush(duration timeout, const source_location& where) {
  if (closed_)
    return fail(errc::not_connected);
  auto d = round_trip();
  if (timeout == duration::max())
    return d;
  return with_timeout(std::move(d), timeout, clock_, where);
}

void nats_core::pings_fail(const failure& why) {
  for (auto& p : std::exchange(flushes_, {}))
    if (!p.called())
      p.errback(why);
}

deferred<void> nats_core::drain(duration timeout, const source_location& where) {
  if (closed_ || draining_)
    return fail(errc::not_connected);
  draining_ = true;
  const auto self = shared_from_this();
  std::string out;
  for (const auto& [sid, s] : subscriptions_)
    nats_encoder::append_unsubscribe(out, sid);
  if (wire_ != nullptr)
    wire_->write(out);
  else if (kept_.empty() && requests_.empty())
    return stop(); // nothing is on its way
  auto all = round_trip()
               .add_callback([self] {
                 while (!self->subscriptions_.empty())
                   self->finish(self->subscriptions_.begin()->second, errc::connection_done);
                 promise<void> answered;
                 auto d = answered.get_deferred();
                 if (self->requests_.empty())
                   answered.callback();
                 else
                   self->idle_.push_back(std::move(answered));
                 return d;
               })
               .add_callback([self] { return self->round_trip(); });
  return with_timeout(std::move(all), timeout, clock_, where)
    .add_both([self](const outcome<void>& how) -> deferred<void> {
      return self->stop().add_both([how](const outcome<void>&) { return how; });
    });
}

} // namespace troupe::detail
