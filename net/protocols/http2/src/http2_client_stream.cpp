// What an agent has of its requests over HTTP/2: responses as they are read, bodies as they are sent, time-outs.

#include "http2_client_stream.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http/http_agent.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "http2_client_connection.hpp"

namespace troupe {

namespace {

constexpr std::uint8_t most_refusals = 3; // then a request is not sent again

} // namespace

void http2_client_stream::abandon() {
  connection.abandon(shared_from_this());
}

void http2_client_stream::wants_more() {
  connection.go_on(shared_from_this());
}

void http2_client_stream::dropped() noexcept {
  auto& owner = connection.carrier();
  if (event_loop::current() == &owner.loop())
    connection.go_on(shared_from_this());
  else // between turns, as before run()
    owner.loop().post([c = &connection, number = id, alive = caf::strong_actor_ptr{owner.ctrl()}] {
      if (const auto s = c->stream(number))
        c->go_on(s);
    });
}

// -- responses ----------------------------------------------------------------------------------

// Does what the stream is due, after something happened to it.
void http2_client_connection::settle(const http2_client_stream_ptr& s) {
  if (const auto r = s->body(); r && !s->given)
    fill(s, *r);
  if (const auto job = std::exchange(s->answered, nullptr))
    job->succeed_with(detail::http_client_insides::response(std::exchange(s->answer, nullptr)));
  const auto r = s->body();
  if (!r) {
    s->packed = {};
    s->given = s->given || (s->has_head && s->ended);
  }
  give_back(*s, r.get());
  if (s->ended && !s->closed && std::exchange(s->streams, false) && !s->unwanted) {
    s->unwanted = true; // the answer does not need the rest of the request
    session_.reset(s->id, NGHTTP2_CANCEL);
  }
  if (std::exchange(s->hungry, false) && !s->closed && !s->unwanted)
    feed(s);
  if (s->closed)
    end_stream(s);
}

// Moves what came into the body, as far as there is room.
void http2_client_connection::fill(const http2_client_stream_ptr& s, detail::http_client_body& r) {
  if (s->why || (s->unpacker && !unpack(s, r)))
    return;
  if (s->ended && s->packed.empty()) {
    s->given = true;
    r.exchange = nullptr;
    r.body.ended = true;
    r.trailers = std::move(s->response_trailers);
    s->unpacker.reset();
  }
  r.hand();
}

// Returns false if it has to go on later, or cannot.
bool http2_client_connection::unpack(const http2_client_stream_ptr& s,
                                     detail::http_client_body& r) {
  auto& u = *s->unpacker;
  while (!s->packed.empty() || u.full()) {
    if (r.body.full())
      return false;                       // until it is read
    if (carrier_.loop().should_yield()) { // few bytes may unpack to many
      if (!std::exchange(s->later, true))
        carrier_.call_later(duration::zero(), [this, s] {
          s->later = false;
          touch(*s);
          work();
        });
      return false;
    }
    std::string_view rest = s->packed;
    if (!u.step(rest, r.body.text, detail::http_incoming_body::largest_piece)) {
      drop(*s, u.too_much() ? failure{errc::message_too_long,
                                      "the body unpacks to more than 1000 times its size"}
                            : failure{errc::malformed_input, "the body is not packed as it says"});
      return false;
    }
    s->packed.erase(0, s->packed.size() - rest.size());
    r.hand();
    if (s->unwanted || r.exchange == nullptr)
      return false;
  }
  if (!s->ended || u.whole())
    return true;
  drop(*s, {errc::malformed_input, "the packed body is not whole"});
  return false;
}

// Gives back to the windows what has been read, or nobody will read.
void http2_client_connection::give_back(http2_client_stream& s, const detail::http_client_body* r) {
  if (s.closed || s.owed == 0)
    return;
  std::size_t unread = 0;
  if (r != nullptr && !s.unwanted && !s.given)
    unread = r->decoded ? s.packed.size() : r->body.awaited() ? 0 : r->body.text.size();
  unread = std::min(unread, s.owed);
  if (s.owed == unread)
    return;
  session_.consume(s.id, std::exchange(s.owed, unread) - unread);
  if (unread == 0) { // from now on the server is waited for
    s.heard_at = now();
    arm_after(s.heard_at, host_.options().body_timeout);
  }
}

// Ends a stream for this reason, which its request or response will have.
void http2_client_connection::drop(http2_client_stream& s, failure why) {
  if (!s.why)
    s.why = std::move(why);
  if (!s.closed && !std::exchange(s.unwanted, true))
    session_.reset(s.id, NGHTTP2_CANCEL);
  touch(s);
}

void http2_client_connection::end_stream(const http2_client_stream_ptr& s) {
  if (std::exchange(s->counted, false)) {
    session_.consume_connection(std::exchange(s->owed, 0));
    if (!s->job) // else it may have to be sent again
      s->request_body.clear();
    s->sending = nullptr;
    if (--open_ == 0)
      idle_since_ = now();
    if (s->job && s->code == NGHTTP2_REFUSED_STREAM && !s->why) {
      if (s->reset)
        allowed_ = std::max<std::size_t>(1, open_);
      leave();
    }
    host_.request_ended();
  }
  if (s->why)
    fail_stream(*s, s->why);
  else if (!s->ended && s->code == NGHTTP2_REFUSED_STREAM && s->job)
    send_again(*s);
  else if (!s->ended)
    fail_stream(*s, reason_of(*s));
  const auto r = s->body();
  if (!r || s->given) {
    if (r)
      r->exchange = nullptr;
    streams_.erase(s->id);
  }
}

failure http2_client_connection::reason_of(const http2_client_stream& s) {
  if (s.code == NGHTTP2_HTTP_1_1_REQUIRED)
    return {errc::not_supported, "the server wants this asked over HTTP/1.1"};
  const std::string name = nghttp2_http2_strerror(s.code);
  if (!s.reset && s.code != NGHTTP2_NO_ERROR && s.code != NGHTTP2_REFUSED_STREAM)
    return {errc::malformed_input, "the response is none of HTTP/2: " + name};
  return {errc::connection_lost, "the stream was reset: " + name};
}

// Sends a request again with which the server has done nothing.
void http2_client_connection::send_again(http2_client_stream& s) {
  const auto job = std::exchange(s.job, nullptr);
  job->exchange = nullptr;
  if (job->over())
    return;
  auto& r = job->request;
  if (++job->refusals > most_refusals || s.asked)
    return job->fail_with({errc::connection_lost, "the server did not take the request"});
  if (detail::http_client_insides::streams(r))
    detail::http_client_insides::source(r) = s.request_body.release_source();
  host_.start_again(job);
}

void http2_client_connection::fail_stream(http2_client_stream& s, const failure& why) {
  s.given = true;
  s.packed = {};
  s.unpacker.reset();
  const auto r = s.body();
  if (const auto job = std::exchange(s.job, nullptr)) {
    job->exchange = nullptr;
    job->fail_with(why);
  }
  if (const auto job = std::exchange(s.answered, nullptr))
    job->succeed_with(detail::http_client_insides::response(std::exchange(s.answer, nullptr)));
  if (r)
    r->end_with(why);
}

// The connection has ended: nothing goes on.
void http2_client_connection::drop_streams(const failure& why) {
  touched_.clear();
  const auto all = std::exchange(streams_, {});
  std::vector<http2_client_stream_ptr> ended;
  for (const auto& [id, s] : all) {
    session_.set_user(id, nullptr);
    s->closed = true;
    if (s->job)
      s->job->exchange = nullptr;
    if (const auto r = s->body())
      r->exchange = nullptr;
    ended.push_back(s);
  }
  std::ranges::sort(ended, {}, &http2_client_stream::id); // as they were asked
  const auto counted = std::exchange(open_, 0);
  for (std::size_t i = 0; i < counted; ++i)
    host_.request_ended();
  const bool dead = answers_ > 0 && !wrong_ && !why.check(errc::runtime_stopped);
  for (const auto& s : ended) {
    s->counted = false;
    const auto job = s->job;
    if (dead && job && !job->over() && !s->why && !job->fresh && s->informational == 0
        && job->request.idempotent() && !detail::http_client_insides::streams(job->request)) {
      s->job = nullptr;
      job->fresh = true;
      host_.start_again(job);
    } else if (s->why) {
      fail_stream(*s, s->why);
    } else if (why.check(errc::connection_lost)) {
      fail_stream(*s, {errc::connection_lost, job ? "no response came" : "the body is not whole"});
    } else {
      fail_stream(*s, why);
    }
    s->request_body.clear();
  }
}

// -- the bodies of requests ---------------------------------------------------------------------

// Gets the next piece of a body.
void http2_client_connection::feed(const http2_client_stream_ptr& s) {
  auto* const source = s->request_body.source();
  if (source == nullptr)
    return;
  s->asked = true;
  deferred<std::string> next = [&] {
    try {
      return source->read();
    } catch (...) {
      return fail<std::string>(failure::current());
    }
  }();
  if (next.ready())
    return gave(s, std::move(next).take());
  std::move(next).add_both(
    [this, s, alive = caf::strong_actor_ptr{carrier_.ctrl()}](outcome<std::string> piece) {
      carrier_.enter("a body", [&] {
        gave(s, std::move(piece));
        work();
      });
    });
}

void http2_client_connection::gave(const http2_client_stream_ptr& s, outcome<std::string> piece) {
  if (s->closed || s->unwanted || !s->waits)
    return;
  s->waits = false;
  s->moved_at = now();
  if (!piece)
    return drop(*s, piece.error());
  if (!s->request_body.add(*std::move(piece)))
    return drop(*s, {errc::invalid_argument,
                     std::string{"the body of a request: "} + s->request_body.reason()});
  if (auto* const source = s->request_body.source(); source != nullptr && s->request_body.ended()) {
    try {
      s->trailers = detail::trailers_of(*source);
    } catch (...) {
      return drop(*s, failure::current());
    }
  }
  arm_after(s->moved_at, host_.options().timeout);
  session_.resume(s->id);
}

// -- time ---------------------------------------------------------------------------------------

time_point http2_client_connection::now() const {
  return carrier_.loop().time();
}

void http2_client_connection::arm_after(time_point since, duration wait) {
  if (wait > duration::zero())
    arm(saturating_add(since, wait));
}

// Sees to it that `look` is called then, or before.
void http2_client_connection::arm(time_point due) {
  const auto after = std::max<duration>(due - now(), duration::zero());
  if (!timer_.active())
    timer_ = carrier_.call_later(after, [this] { look(); });
  else if (timer_.get_time() > due)
    timer_.reset(after);
  else
    return;
  due_ = due;
}

// Tells whether `wait` has passed at `at`; if not, `look` is called when it has. Zero: never.
bool http2_client_connection::is_due(time_point since, duration wait, time_point at) {
  if (wait <= duration::zero())
    return false;
  if (at >= saturating_add(since, wait))
    return true;
  arm_after(since, wait);
  return false;
}

void http2_client_connection::look() {
  if (transport_ == nullptr || over_)
    return;
  const auto at = now();
  // After a pause of this loop the server may have sent what only has not been read yet.
  if (!patience_.is_over(carrier_.loop(), due_, std::chrono::seconds(1)))
    return arm(saturating_add(at, std::chrono::milliseconds(1)));
  const auto& o = host_.options();
  if (in_head_ && is_due(head_since_, o.timeout, at)) {
    in_head_ = false;
    session_.fail(NGHTTP2_PROTOCOL_ERROR, "the head took too long");
  }
  if (open_ == 0 && is_due(idle_since_, o.idle_timeout, at))
    leaving_ = true;
  if (open_ > 0 && options_.ping_after > duration::zero()) {
    if (pinged_at_ ? is_due(*pinged_at_, options_.ping_timeout, at)
                   : is_due(heard_at_, options_.ping_after, at)) {
      if (pinged_at_)
        return be_dead();
      session_.ping();
      pinged_at_ = at;
      arm_after(at, options_.ping_timeout);
    }
  }
  std::vector<http2_client_stream_ptr> all;
  for (const auto& [id, s] : streams_)
    all.push_back(s);
  for (const auto& s : all)
    check_stream(*s, at);
  work();
}

// The server does not answer: those who may ask again do so on another connection.
void http2_client_connection::be_dead() {
  over_ = leaving_ = true;
  leave();
  if (std::exchange(stuck_, false))
    transport_->unregister_producer();
  transport_->abort_connection();
  drop_streams({errc::timed_out, "the server says nothing"});
}

void http2_client_connection::check_stream(http2_client_stream& s, time_point at) {
  const auto& o = host_.options();
  if (s.closed || s.unwanted)
    return;
  if (s.job && !s.waits && is_due(s.moved_at, o.timeout, at))
    return drop(s, {errc::timed_out, "no response from " + s.job->origin});
  if (s.has_head && !s.ended && s.owed == 0
      && is_due(std::max(s.heard_at, s.moved_at), o.body_timeout, at))
    drop(s, {errc::timed_out, "nothing came of the body"});
}

} // namespace troupe
