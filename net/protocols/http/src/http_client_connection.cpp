#include "http_client_connection.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http/http_text.hpp>
#include <troupe/runtime/detail/base64.hpp>
#include <troupe/runtime/event_loop.hpp>

namespace troupe {

namespace {

constexpr std::size_t most_discarded = 64 * 1024; // of a body that nobody wants

} // namespace

http_client_connection::http_client_connection(caf::actor_config& cfg,
                                               std::shared_ptr<detail::http_pool> pool,
                                               std::weak_ptr<detail::http_job> job)
  : protocol(cfg), pool_(std::move(pool)), first_(std::move(job)),
    parser_(pool_->options().limits) {}

http_client_connection::~http_client_connection() = default;

// -- opening --------------------------------------------------------------------------------------

void http_client_connection::connection_made() {
  const auto job = std::exchange(first_, {}).lock();
  if (!job || !std::exchange(job->holds_place, false)) {
    state_ = state::closing;
    return transport().abort_connection();
  }
  job->connecting = {};
  origin_ = job->origin;
  probes_ = std::exchange(job->probes, false);
  const auto& proxy = pool_->options().proxy;
  const auto& url = job->request.url();
  if (!proxy.at || !url.secure())
    return begin(job);
  job_ = job;
  job_->exchange = this;
  state_ = state::tunnel;
  auto target = url.authority();
  if (url.port() == 443)
    target += ":443";
  std::string head = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n";
  if (!proxy.user.empty())
    ((head += "Proxy-Authorization: Basic ") +=
     detail::to_base64(proxy.user + ':' + proxy.password)) += "\r\n";
  head += "\r\n";
  parser_.begin("CONNECT");
  transport().write(head);
  expect_until(pool_->options().connect_timeout);
}

bool http_client_connection::tunnel_event(std::string_view& in) {
  switch (parser_.next(in)) {
  case http_response_parser::event::more:
    return false;
  case http_response_parser::event::informational:
    return true;
  case http_response_parser::event::head:
    break;
  default:
    broken({errc::malformed_input, std::string{"the proxy's answer: "} + parser_.reason()});
    return false;
  }
  const auto& head = parser_.head();
  if (head.status() / 100 != 2) {
    broken({errc::connect_failed, "the proxy answers " + std::to_string(head.status()) + ' '
                                    + std::string{head.phrase()}});
    return false;
  }
  state_ = state::handshake;
  const auto rest = std::exchange(in, {});
  start_tls(transport(), pool_->tls(), job_->request.url().host(), as_bytes(rest));
  return false;
}

void http_client_connection::handshake_completed() {
  if (state_ == state::handshake)
    begin(std::exchange(job_, nullptr));
}

// Goes on in the version that both ends speak.
void http_client_connection::begin(const detail::http_job_ptr& job) {
  const auto& o = pool_->options();
  const bool probed = std::exchange(probes_, false);
  if (o.http2) {
    const auto* const tls = transport().tls();
    const bool plain_too =
      o.http2->prior_knowledge() && (job->request.url().secure() || !o.proxy.at);
    if (tls != nullptr ? tls->alpn() == "h2" : plain_too) {
      state_ = state::shared;
      shared_ = o.http2->make(*this);
      shared_->begin();
    }
  }
  run(job);
  if (probed || shared_)
    pool_->learned(*this, shared_ && !no_more_, probed);
}

// -- requests -------------------------------------------------------------------------------------

void http_client_connection::run(const detail::http_job_ptr& job) {
  if (shared_) {
    ++under_way_;
    return shared_->run(job);
  }
  auto& r = job->request;
  job_ = job;
  job_->exchange = this;
  state_ = state::request;
  heard_ = false;
  discarded_ = 0;
  ++number_;
  parser_.begin(r.method_);
  write_head(r);
  if (r.source_) {
    source_ = std::move(r.source_);
    known_length_ = r.size_.has_value();
    left_ = r.size_.value_or(0);
    chunked_ = !known_length_;
    producing_ = true;
    transport().register_producer(*this, false); // which calls resume_producing
  }
  taken_ = transport().bytes_written() - transport().unsent();
  expect_until(pool_->options().timeout);
}

void http_client_connection::write_head(const http_client_request& r) {
  const auto& o = pool_->options();
  const bool through_proxy = o.proxy.at && !r.url_.secure();
  std::string head;
  head.reserve(256 + r.text_.size());
  (head += r.method_) += ' ';
  if (through_proxy)
    head += r.url_.origin();
  (head += r.url_.target()) += " HTTP/1.1\r\n";
  if (!r.field("Host"))
    ((head += "Host: ") += r.url_.authority()) += "\r\n";
  for (const auto& [name, value] : r.fields_)
    (((head += name) += ": ") += value) += "\r\n";
  if (!o.user_agent.empty() && !r.field("User-Agent"))
    ((head += "User-Agent: ") += o.user_agent) += "\r\n";
  if (o.decode && !r.field("Accept-Encoding"))
    ((head += "Accept-Encoding: ") += detail::http_codings()) += "\r\n";
  if (through_proxy && !o.proxy.user.empty())
    ((head += "Proxy-Authorization: Basic ") +=
     detail::to_base64(o.proxy.user + ':' + o.proxy.password)) += "\r\n";
  if (r.streams_ && !r.size_)
    head += "Transfer-Encoding: chunked\r\n";
  else if (const auto length = detail::http_client_insides::length(r))
    ((head += "Content-Length: ") += std::to_string(*length)) += "\r\n";
  head += "\r\n";
  head += r.text_;
  transport().write(head);
}

void http_client_connection::abandon() {
  enter("a request", [this] { give_up(); });
}

void http_client_connection::give_up() {
  if (state_ == state::closing || !connected())
    return;
  transport().abort_connection();
}

void http_client_connection::request_ended() {
  if (--under_way_ == 0)
    pool_->shared_idle(*this);
  else
    pool_->next(origin_);
}

void http_client_connection::close_idle() {
  if (shared_)
    return shared_->close();
  state_ = state::closing;
  origin_.clear(); // it has no place any more
  transport().lose_connection();
}

// -- what comes -----------------------------------------------------------------------------------

void http_client_connection::data_received(bytes_view data) {
  if (shared_)
    return shared_->data_received(data);
  const auto text = as_text(data);
  if (state_ == state::closing)
    return;
  if (processing_ || !kept_.empty() || !packed_.empty() || goes_on_later_) {
    kept_ += text;
    return;
  }
  process(text);
}

void http_client_connection::dropped() noexcept {
  if (event_loop::current() == &loop())
    wants_more();
  else // between turns, as before run()
    loop().post([this, alive = caf::strong_actor_ptr{ctrl()}] { wants_more(); });
}

void http_client_connection::wants_more() {
  if (processing_ || goes_on_later_ || !connected() || state_ == state::closing)
    return;
  enter("a response", [this] {
    const auto owned = std::exchange(kept_, {});
    process(owned);
  });
}

void http_client_connection::process(std::string_view in) {
  {
    processing_ = true;
    struct guard {
      http_client_connection& self;
      ~guard() { self.processing_ = false; }
    } const done{*this};
    while (connected() && state_ != state::closing && take_event(in))
      if (unpacker_ && loop().should_yield()) { // few bytes may unpack to many
        go_on_later();
        break;
      }
  }
  if (connected() && state_ != state::closing)
    keep(in);
  deliver();
}

void http_client_connection::go_on_later() {
  goes_on_later_ = true;
  call_later(duration::zero(), [this] {
    goes_on_later_ = false;
    if (!connected() || state_ == state::closing)
      return;
    const auto owned = std::exchange(kept_, {});
    process(owned);
  });
}

// Keeps what waits for room, or for a later turn, and reads no more until it has some.
void http_client_connection::keep(std::string_view rest) {
  if (!rest.empty())
    kept_.insert(0, rest);
  const auto r = response_.lock();
  const bool pause = !kept_.empty() || !packed_.empty() || goes_on_later_ || (r && r->body.full());
  if (pause != reading_paused_) {
    reading_paused_ = pause;
    if (pause)
      transport().pause_producing();
    else
      transport().resume_producing();
  }
  if (state_ == state::body && !pause)
    expect_until(pool_->options().body_timeout);
}

// Returns false if it needs more input, or room.
bool http_client_connection::take_event(std::string_view& in) {
  if (state_ == state::tunnel)
    return tunnel_event(in);
  if (state_ == state::idle) {
    if (!in.empty()) { // nobody has asked for it
      pool_->idle_ended(*this);
      state_ = state::closing;
      transport().abort_connection();
    }
    return false;
  }
  if (state_ == state::handshake)
    return false;
  const auto r = response_.lock();
  if (state_ == state::body && r && r->body.full())
    return false;
  if (!packed_.empty() || (unpacker_ && unpacker_->full())) {
    auto owned = std::exchange(packed_, {});
    std::string_view rest = owned;
    if (!unpack(r.get(), rest))
      return false;
    packed_ = rest;
    return true;
  }
  heard_ = heard_ || !in.empty();
  switch (parser_.next(in)) {
  case http_response_parser::event::more:
    return false;
  case http_response_parser::event::informational:
    return true;
  case http_response_parser::event::head:
    begin_response();
    return true;
  case http_response_parser::event::body: {
    auto piece = parser_.body();
    if (!r) {
      discarded_ += piece.size();
      if (discarded_ <= most_discarded)
        return true;
      give_up();
      return false;
    }
    if (!unpacker_) {
      r->body.text += piece;
      r->hand();
      return true;
    }
    if (!unpack(r.get(), piece))
      return false;
    packed_ = piece;
    return true;
  }
  case http_response_parser::event::end:
    response_ended(!in.empty());
    return false;
  case http_response_parser::event::refused:
    broken({errc::malformed_input, "the response of " + origin_ + ": " + parser_.reason()});
    return false;
  }
  return false;
}

bool http_client_connection::unpack(detail::http_client_body* r, std::string_view& packed) {
  std::string passed_over;
  auto& out = r != nullptr ? r->body.text : passed_over;
  if (!unpacker_->step(packed, out, detail::http_incoming_body::largest_piece)) {
    if (unpacker_->too_much())
      broken({errc::message_too_long, "the body unpacks to more than 1000 times its size"});
    else
      broken({errc::malformed_input, "the body is not packed as it says"});
    return false;
  }
  if (r != nullptr) {
    r->hand();
    return true;
  }
  discarded_ += passed_over.size();
  if (discarded_ <= most_discarded)
    return true;
  give_up();
  return false;
}

void http_client_connection::begin_response() {
  const auto job = std::exchange(job_, nullptr);
  job->exchange = nullptr;
  state_ = state::body;
  auto r = std::make_shared<detail::http_client_body>(job->request.url());
  std::swap(r->head, parser_.head()); // which the parser has no use for any more
  r->exchange = this;
  keep_alive_ = r->head.keep_alive() && r->head.status() != 101;
  unpacker_.reset();
  if (pool_->options().decode && r->head.content_length() != std::uint64_t{0}) {
    const auto coding = r->head.fields().joined("Content-Encoding");
    unpacker_ = detail::make_http_unpacker(coding);
    r->decoded = unpacker_ != nullptr;
  }
  response_ = r;
  used_ = true;
  taken_ = transport().bytes_written() - transport().unsent();
  answered_ = job;
  answer_ = std::move(r);
}

// Gives the response to who waits for it, once all that came is read: of a short one the connection is idle
// by now, and serves who asks again. If nobody takes it, its body is passed over.
void http_client_connection::deliver() {
  if (const auto job = std::exchange(answered_, nullptr))
    job->succeed_with(detail::http_client_insides::response(std::exchange(answer_, nullptr)));
}

void http_client_connection::response_ended(bool more_came) {
  const auto r = response_.lock();
  if (unpacker_ && !unpacker_->whole())
    return broken({errc::malformed_input, "the packed body is not whole"});
  response_.reset();
  unpacker_.reset();
  ++number_;
  const bool whole_request = !source_ && transport().unsent() == 0;
  drop_source();
  if (r) {
    r->exchange = nullptr;
    r->body.ended = true;
    if (!parser_.trailers().empty())
      r->trailers = parser_.trailers();
  }
  if (keep_alive_ && !more_came && kept_.empty() && whole_request && !transport().disconnecting()) {
    state_ = state::idle;
    expect_until(pool_->options().idle_timeout);
    pool_->now_idle(*this); // and may have the next request at once
  } else {
    state_ = state::closing;
    pool_->busy_ended(std::exchange(origin_, {}));
    if (whole_request)
      transport().lose_connection();
    else
      transport().abort_connection();
  }
  if (r)
    r->hand();
}

// Ends the connection, and what is under way on it, for this reason.
void http_client_connection::broken(const failure& why) {
  state_ = state::closing;
  kept_.clear();
  packed_.clear();
  ++number_;
  drop_source();
  if (connected())
    transport().abort_connection();
  if (std::exchange(probes_, false))
    pool_->probe_failed(origin_);
  if (!origin_.empty())
    pool_->busy_ended(std::exchange(origin_, {}));
  const auto job = std::exchange(job_, nullptr);
  const auto r = std::exchange(response_, {}).lock();
  if (job) {
    job->exchange = nullptr;
    job->fail_with(why);
  }
  if (r)
    r->end_with(why);
}

void http_client_connection::connection_lost(const failure& reason) {
  const auto before = std::exchange(state_, state::closing);
  if (shared_)
    return shared_->connection_lost(reason);
  producing_ = false;
  if (before == state::idle)
    return pool_->idle_ended(*this);
  if (before == state::closing || before == state::opening)
    return;
  const bool clean = reason.check(errc::connection_done);
  if (before == state::body && clean && kept_.empty() && packed_.empty()
      && (!unpacker_ || unpacker_->whole())
      && parser_.finish() == http_response_parser::event::end) {
    drop_source();
    const auto r = std::exchange(response_, {}).lock();
    pool_->busy_ended(std::exchange(origin_, {}));
    if (r) {
      r->exchange = nullptr;
      r->body.ended = true;
      r->hand();
    }
    return;
  }
  if (before == state::request && used_ && !heard_ && !job_->over()
      && !reason.check(errc::runtime_stopped) && job_->request.idempotent()
      && !job_->request.streams_) {
    const auto job = std::exchange(job_, nullptr);
    job->exchange = nullptr;
    job->fresh = true;
    pool_->busy_ended(std::exchange(origin_, {}));
    return pool_->start(job);
  }
  const char* const what = before == state::body      ? "the body is not whole"
                           : before == state::request ? "no response came"
                                                      : "the proxy hung up";
  broken(clean || reason.check(errc::connection_lost) ? failure{errc::connection_lost, what}
                                                      : reason);
}

// -- the body of the request ----------------------------------------------------------------------

void http_client_connection::stop_producing() {
  producing_ = false;
}

void http_client_connection::drop_source() {
  source_.reset();
  source_waits_ = false;
  if (std::exchange(producing_, false) && connected())
    transport().unregister_producer();
}

void http_client_connection::resume_producing() {
  if (!producing_ || !source_ || source_waits_ || !connected())
    return;
  source_waits_ = true;
  deferred<std::string> next = [&] {
    try {
      return source_->read();
    } catch (...) {
      return fail<std::string>(failure::current());
    }
  }();
  if (next.ready())
    return body_gave(std::move(next).take(), number_);
  std::move(next).add_both(
    [this, alive = caf::strong_actor_ptr{ctrl()}, number = number_](outcome<std::string> piece) {
      enter("a body", [&] { body_gave(std::move(piece), number); });
    });
}

void http_client_connection::body_gave(outcome<std::string> piece, std::uint64_t number) {
  if (number != number_ || !connected() || !source_)
    return;
  source_waits_ = false;
  if (!piece)
    return broken(piece.error());
  auto& t = transport();
  if (piece->empty()) {
    if (known_length_ && left_ > 0)
      return broken({errc::invalid_argument, "the body's source gave less than it promised"});
    if (chunked_)
      try {
        t.write("0\r\n" + detail::trailers_of(*source_) + "\r\n");
      } catch (...) {
        return broken(failure::current());
      }
    return drop_source();
  }
  if (chunked_) {
    char size[20];
    const auto length = std::snprintf(size, sizeof size, "%zx\r\n", piece->size());
    t.write_sequence({std::string_view{size, static_cast<std::size_t>(length)}, *piece, "\r\n"});
    return;
  }
  if (piece->size() > left_)
    return broken({errc::invalid_argument, "the body's source gave more than it promised"});
  left_ -= piece->size();
  t.write(*piece);
  if (left_ == 0)
    drop_source();
}

// -- time -----------------------------------------------------------------------------------------

void http_client_connection::expect_until(duration after) {
  if (after <= duration::zero()) {
    due_ = time_point::max();
    return;
  }
  due_ = saturating_add(loop().time(), after);
  if (!timer_.active())
    timer_ = call_later(after, [this] { look(); });
  else if (timer_.get_time() > due_)
    timer_.reset(after);
}

void http_client_connection::look() {
  if (due_ == time_point::max() || state_ == state::closing || shared_ || !connected())
    return;
  const auto now = loop().time();
  // After a pause of this loop the server may have sent what only has not been read yet.
  if (now < due_ || !patience_.is_over(loop(), due_, std::chrono::seconds(1))) {
    timer_ =
      call_later(std::max<duration>(due_ - now, std::chrono::milliseconds(1)), [this] { look(); });
    return;
  }
  const auto& o = pool_->options();
  const auto taken = transport().bytes_written() - transport().unsent();
  const bool moved = taken != std::exchange(taken_, taken);
  switch (state_) {
  case state::idle:
    pool_->idle_ended(*this);
    state_ = state::closing;
    return transport().lose_connection();
  case state::body:
    if (reading_paused_ || moved)
      return expect_until(o.body_timeout);
    return broken({errc::timed_out, "nothing came of the body"});
  case state::request:
    if (moved || source_waits_)
      return expect_until(o.timeout);
    [[fallthrough]];
  default:
    return broken({errc::timed_out, "no response from " + origin_});
  }
}

} // namespace troupe
