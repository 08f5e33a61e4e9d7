#include "http_connection.hpp"

#include <algorithm>

#include <spdlog/logger.h>

#include <troupe/http/http_status.hpp>
#include <troupe/net/tls_info.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

namespace troupe {

namespace {

constexpr std::size_t most_kept = 16 * 1024;   // of what follows a request that is handled
constexpr std::size_t most_unsent = 64 * 1024; // then the next request waits
constexpr duration goodbye = std::chrono::seconds(2);

// What requests were kept in, for the next ones of this thread: a connection between two requests has none.
std::vector<std::shared_ptr<detail::http_request_state>>& parked_requests() noexcept {
  thread_local std::vector<std::shared_ptr<detail::http_request_state>> parked;
  return parked;
}

constexpr std::size_t most_parked = 64;

} // namespace

http_connection::http_connection(caf::actor_config& cfg,
                                 std::shared_ptr<const detail::http_service> service)
  : protocol(cfg), service_(std::move(service)), parser_(service_->options.limits) {}

http_connection::~http_connection() = default;

void http_connection::connection_made() {
  if (service_->http2) {
    const auto* const tls = transport().tls();
    if (tls != nullptr && tls->alpn() == "h2")
      return take_over(service_->http2(*this, service_));
    may_be_http2_ = tls == nullptr;
  }
  await(awaited::request);
}

void http_connection::stop_requested() {
  if (!connected())
    return protocol::stop_requested();
  draining_ = true;
  keep_alive_ = false;
  if (state_ == state::upgraded)
    upgraded_->stop_requested(transport());
  else if (state_ == state::waiting && body_done_ && !parser_.in_head())
    protocol::stop_requested();
}

// The response to the request under way says that it is the last one.
void http_connection::drain_requested() {
  draining_ = true;
  keep_alive_ = false;
  if (state_ == state::upgraded)
    upgraded_->stop_requested(transport());
  else if (state_ == state::waiting && body_done_ && !parser_.in_head())
    transport().lose_connection();
}

void http_connection::connection_lost(const failure& reason) {
  if (timer_.active())
    timer_.cancel();
  const auto before = std::exchange(state_, state::closing);
  if (before == state::upgraded)
    return upgraded_->connection_lost(reason);
  producing_ = false;
  if (before == state::handling || before == state::responding)
    log_access(false);
  if (const auto request = std::move(request_)) {
    request->exchange = nullptr;
    request->body.fail(reason.check(errc::connection_done) ? failure{errc::connection_lost}
                                                           : reason);
  }
  std::exchange(handler_, {}).cancel();
  source_.reset();
}

// -- what comes ---------------------------------------------------------------------------------

void http_connection::data_received(bytes_view data) {
  auto text = as_text(data);
  if (may_be_http2_ && begins_http2(text))
    return;
  if (state_ == state::closing) {
    discarded_ += text.size();
    if (discarded_ > service_->options.max_discarded)
      transport().abort_connection();
    return;
  }
  if (state_ == state::upgraded && !processing_ && kept_.empty())
    return upgraded_->data_received(data);
  if (processing_ || !kept_.empty())
    kept_ += text;
  if (processing_)
    return;
  if (kept_.empty())
    process(text);
  else
    process_kept();
}

// Takes the preface of HTTP/2 (RFC 9113, 3.4), in which no request can begin; what it held back of
// anything else is in front of `text` then. Its first line is enough: the rest of it is HTTP/2's to check.
bool http_connection::begins_http2(std::string_view& text) {
  static constexpr std::string_view preface = "PRI * HTTP/2.0\r\n";
  const auto had = kept_.size();
  const auto compared = std::min(text.size(), preface.size() - had);
  if (text.substr(0, compared) != preface.substr(had, compared)) {
    may_be_http2_ = false;
    return false;
  }
  if (had + compared < preface.size()) {
    kept_ += text;
    if (awaits_ != awaited::head)
      await(awaited::head);
    return true;
  }
  may_be_http2_ = false;
  const auto before = std::exchange(kept_, {});
  take_over(service_->http2(*this, service_));
  if (!before.empty() && connected())
    upgraded_->data_received(as_bytes(before));
  if (connected())
    upgraded_->data_received(as_bytes(text));
  return true;
}

// Gives the connection, on which no request was made, to another protocol.
void http_connection::take_over(std::unique_ptr<http_upgraded> next) {
  state_ = state::upgraded;
  awaits_ = awaited::nothing;
  upgraded_ = std::move(next);
  upgraded_->taken_over(transport());
}

// Gives the connection away, if it can be.
bool http_connection::give_away() {
  successor_ = upgraded_->successor();
  if (!successor_)
    return false;
  if (std::exchange(reading_paused_, false))
    transport().resume_producing();
  if (!hand_over(*successor_)) {
    successor_ = nullptr;
    return false;
  }
  state_ = state::given_away;
  upgraded_.reset();
  if (timer_.active())
    timer_.cancel();
  return true;
}

void http_connection::process_kept() {
  // Also without bytes: a body that was full may end with those that came.
  if (processing_ || (kept_.empty() && body_done_))
    return;
  auto owned = std::exchange(kept_, {});
  const auto begin = std::exchange(kept_at_, 0);
  const auto left = run(std::string_view{owned}.substr(begin));
  if (left != 0 && kept_.empty()) {
    kept_at_ = owned.size() - left;
    kept_ = std::move(owned);
    if (kept_at_ > kept_.size() / 2)
      kept_.erase(0, std::exchange(kept_at_, 0));
  } else if (left != 0) {
    kept_.insert(0, owned, owned.size() - left);
  }
  watch_reading();
}

void http_connection::process(std::string_view in) {
  const auto left = run(in);
  if (left != 0)
    kept_.insert(0, in.substr(in.size() - left));
  watch_reading();
}

// Takes events until there is none, or one has to wait; returns how much of the input is left.
std::size_t http_connection::run(std::string_view in) {
  struct guard {
    http_connection& self;
    ~guard() { self.processing_ = false; }
  };
  {
    processing_ = true;
    const guard done{*this};
    while ((connected() || state_ == state::given_away) && take_event(in)) {
    }
  }
  return connected() && state_ != state::closing ? in.size() : 0;
}

bool http_connection::take_event(std::string_view& in) {
  if (state_ == state::upgraded) {
    const auto rest = std::exchange(in, {});
    if (!rest.empty())
      upgraded_->data_received(as_bytes(rest));
    return false;
  }
  if (state_ == state::given_away) { // policies have seen these bytes
    const auto rest = std::exchange(in, {});
    if (!rest.empty())
      successor_->enter("data_received", [&] {
        if (successor_->connected())
          successor_->data_received(as_bytes(rest));
      });
    return false;
  }
  if (state_ == state::closing)
    return false;
  if (body_done_ ? state_ != state::waiting || !may_begin()
                 : state_ != state::waiting && request_->body.full())
    return false;
  if (body_done_ && state_ == state::waiting && !in.empty() && !parser_.in_head())
    lend_request();
  switch (parser_.next(in)) {
  case http_request_parser::event::more:
    if (state_ == state::waiting && body_done_ && awaits_ != awaited::head && parser_.in_head())
      await(awaited::head);
    return false;
  case http_request_parser::event::head:
    begin_request();
    return true;
  case http_request_parser::event::body:
    body_seen_ += parser_.body().size();
    if (state_ == state::waiting) { // the response is there; nobody wants it any more
      discarded_ += parser_.body().size();
      if (discarded_ > service_->options.max_discarded)
        end_politely(true);
      return true;
    }
    request_->body.text += parser_.body();
    request_->hand_body();
    return true;
  case http_request_parser::event::end:
    body_done_ = true;
    if (state_ == state::waiting) {
      request_ended();
    } else {
      if (!parser_.trailers().empty())
        request_->trailers = parser_.trailers();
      request_->body.ended = true;
      if (awaits_ == awaited::body)
        awaits_ = awaited::nothing;
      request_->hand_body();
    }
    return true;
  case http_request_parser::event::refused:
    refuse(parser_.status(), parser_.reason());
    return false;
  }
  return false;
}

// Lets the next request wait while the client does not take what it has been answered.
bool http_connection::may_begin() {
  if (producing_)
    return false;
  if (transport().unsent() <= most_unsent)
    return true;
  produce();
  return false;
}

void http_connection::watch_reading() {
  if (!connected() || state_ == state::closing)
    return;
  if (state_ == state::waiting && body_done_ && kept_.empty() && !parser_.in_head())
    park_request();
  const bool pause = state_ != state::upgraded && kept_.size() - kept_at_ >= most_kept;
  if (pause == reading_paused_)
    return;
  reading_paused_ = pause;
  if (pause)
    transport().pause_producing();
  else
    transport().resume_producing();
}

// -- requests -----------------------------------------------------------------------------------

void http_connection::begin_request() {
  const auto& o = service_->options;
  ++number_;
  if (!request_)
    request_ = std::make_shared<detail::http_request_state>();
  auto& r = *request_;
  r.head = std::move(parser_.head());
  r.exchange = this;
  r.body.ended = !r.head.has_body();
  is_head_ = r.head.method() == "HEAD";
  keep_alive_ =
    r.head.keep_alive() && !draining_ && (o.max_requests == 0 || number_ < o.max_requests);
  continued_ = false;
  discarded_ = 0;
  state_ = state::handling;
  awaits_ = awaited::nothing;
  body_done_ = r.body.ended;
  if (body_done_) {
    std::string_view none;
    parser_.next(none); // the end of it
  }
  if (r.head.method() == "TRACE")
    return send(http_response{405, "TRACE is off.\n"}.set("Allow", "GET, HEAD, POST"));
  try {
    answer(detail::in_callback(
      "the handler", [&] { return service_->handler(detail::http_insides::request(request_)); }));
  } catch (...) {
    answered(failure::current(), number_);
  }
}

void http_connection::answer(http_reply reply) {
  if (auto* const now = std::get_if<http_response>(&reply.value_))
    return send(std::move(*now));
  auto& later = std::get<deferred<http_response>>(reply.value_);
  if (later.ready())
    return answered(std::move(later).take(), number_);
  handler_ = later.canceller();
  std::move(later).add_both([state = request_, number = number_](outcome<http_response> got) {
    if (state->exchange != nullptr) {
      auto* const c = static_cast<http_connection*>(state->exchange);
      c->enter("the handler", [&] { c->answered(std::move(got), number); });
    }
  });
}

void http_connection::answered(outcome<http_response> got, std::uint64_t number) {
  if (number != number_ || state_ != state::handling || !connected())
    return;
  handler_ = {};
  if (got)
    send(*std::move(got));
  else
    send(
      detail::http_answer_to(got.error(), loop().scheduler().logger(), log_name(), request_->head));
}

// What came is no request, or no body. Earlier responses are complete: requests wait for each other.
void http_connection::refuse(int status, const char* reason) {
  loop().scheduler().repeats().note(std::string{"http: "} + reason, log_level::info, [&] {
    return '[' + log_name() + "] refused with " + std::to_string(status) + ": " + reason;
  });
  keep_alive_ = false;
  body_done_ = true;
  if (state_ == state::handling || state_ == state::responding) {
    const auto request = request_;
    request->body.fail(http_error{status, std::string{reason} + "\n"}); // may be answered with that
    if (!connected() || state_ != state::handling)
      return;
    ++number_; // what the handler says now comes too late
    std::exchange(handler_, {}).cancel();
    if (!connected())
      return;
  } else if (state_ == state::waiting && request_) {
    release_request();
    if (request_)
      request_->head = {}; // what it was is with the parser
  }
  if (state_ == state::waiting) {
    ++number_;
    is_head_ = false;
    state_ = state::handling;
  }
  refused_ = true;
  send(http_response{status, std::string{http_phrase(status)} + ": " + reason + "\n"}
         .set("X-Content-Type-Options", "nosniff")
         .close());
}

deferred<std::string> http_connection::read_body(detail::http_request_state& s, bool all,
                                                 std::size_t limit) {
  const auto length = s.head.content_length();
  if (all && length && *length > limit)
    return fail<std::string>(http_error{413, "The body is longer than allowed.\n"});
  auto waits = s.body.read(all, limit);
  if (!body_done_ && state_ == state::handling && s.head.expects_continue() && !continued_) {
    continued_ = true;
    if (s.body.text.empty())
      transport().write("HTTP/1.1 100 Continue\r\n\r\n");
  }
  if (!body_done_ && awaits_ == awaited::nothing) {
    body_seen_ = 0;
    await(awaited::body);
  }
  s.hand_body();
  process_kept();
  return waits;
}

void http_connection::release_request() {
  if (!request_)
    return;
  auto& r = *request_;
  r.exchange = nullptr;
  if (request_.use_count() > 1 || r.head.fields().size() > 32 || r.body.text.capacity() > 1024) {
    const auto request = std::move(request_);
    request->body.fail(failure{errc::not_connected, "the request has its response"});
    return;
  }
  r.parameters.clear();
  r.rest_at = 0;
  r.body.clear();
  if (!r.trailers.empty())
    r.trailers = {};
}

// A head begins, and is read into what the one before it was kept in.
void http_connection::lend_request() {
  if (!request_) {
    if (auto& parked = parked_requests(); parked.empty()) {
      request_ = std::make_shared<detail::http_request_state>();
    } else {
      request_ = std::move(parked.back());
      parked.pop_back();
    }
  }
  parser_.head() = std::move(request_->head);
}

// No other request has begun.
void http_connection::park_request() {
  parser_.shrink();
  if (!request_)
    return;
  if (auto& parked = parked_requests();
      parked.size() < most_parked && !detail::http_head_writer::holds_much(request_->head))
    parked.push_back(std::move(request_));
  request_.reset();
}

void http_connection::request_ended() {
  release_request();
  if (refused_)
    return end_politely(true);
  if (!keep_alive_)
    return end_politely(false);
  state_ = state::waiting;
  await(awaited::request);
  if (!kept_.empty())
    process_kept();
  else if (!processing_) // else when all that came has been looked at
    park_request();
}

// Closes so that the client gets all of the response: unread input would make the system reset the
// connection, so what still comes is passed over for a while.
void http_connection::end_politely(bool drain) {
  drain = drain || !body_done_ || !kept_.empty();
  state_ = state::closing;
  kept_ = {};
  kept_at_ = 0;
  discarded_ = 0;
  release_request();
  if (!drain)
    return transport().lose_connection();
  await(awaited::goodbye);
  if (std::exchange(reading_paused_, false))
    transport().resume_producing();
  transport().lose_write_connection();
}

// -- time ---------------------------------------------------------------------------------------

void http_connection::await(awaited what) {
  const auto& o = service_->options;
  awaits_ = what;
  duration after{};
  switch (what) {
  case awaited::nothing:
    return;
  case awaited::request:
    after = o.keep_alive_timeout;
    break;
  case awaited::head:
    after = o.head_timeout;
    break;
  case awaited::body:
    after = o.body_check;
    break;
  case awaited::reader:
    after = o.write_timeout;
    break;
  case awaited::goodbye:
    after = goodbye;
    break;
  }
  if (after <= duration::zero()) {
    awaits_ = awaited::nothing;
    return;
  }
  due_ = saturating_add(loop().time(), after);
  if (!timer_.active())
    look_in(after);
  else if (timer_.get_time() > due_)
    timer_.reset(after);
}

// Not by `call_later`, for whose list of calls each idle connection would pay. `this` is good while it is
// pending: the end of the connection cancels it.
void http_connection::look_in(duration after) {
  timer_ = loop().timers().add(saturating_add(loop().time(), after),
                               [this] { enter("a time-out", [this] { look(); }); });
}

void http_connection::look() {
  if (awaits_ == awaited::nothing || !connected())
    return;
  const auto now = loop().time();
  // After a pause of this loop the client may have sent what only has not been read yet.
  if (now < due_ || !patience_.is_over(loop(), due_, std::chrono::seconds(1))) {
    const auto left = std::max<duration>(due_ - now, std::chrono::milliseconds(1));
    return look_in(left);
  }
  const auto& o = service_->options;
  auto& t = transport();
  const bool stuck = t.unsent() > 0;
  const auto taken = t.bytes_written() - t.unsent();
  const bool moved = taken != std::exchange(taken_, taken);
  switch (awaits_) {
  case awaited::nothing:
    return;
  case awaited::request:
    if (!stuck)
      return lose_connection(errc::idle_timed_out);
    return moved ? await(awaited::request) : t.abort_connection();
  case awaited::head:
    return refuse(408, "the head took too long");
  case awaited::body: {
    const auto seconds = std::chrono::duration<double>(o.body_check).count();
    const auto seen = std::exchange(body_seen_, 0);
    if (request_ && request_->body.awaited() && !reading_paused_
        && static_cast<double>(seen) < seconds * static_cast<double>(o.min_body_rate))
      return refuse(408, "the body came too slowly");
    return await(awaited::body);
  }
  case awaited::reader:
    return stuck && !moved ? t.abort_connection() : await(awaited::reader);
  case awaited::goodbye:
    return t.abort_connection();
  }
}

} // namespace troupe
