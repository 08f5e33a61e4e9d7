#include "http2_connection.hpp"

#include <algorithm>
#include <utility>

#include <troupe/http/http_status.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe {

namespace {

constexpr std::size_t worth_a_write = 64 * 1024;
constexpr std::size_t most_unsent = 64 * 1024;     // then frames wait in the session
constexpr std::size_t most_in_a_row = 1024 * 1024; // then the loop's others have their turn

// Memory that the connections of a thread lend from each other, for one call at a time.
std::string& scratch() {
  thread_local std::string s;
  s.clear();
  return s;
}

http2_stream& stream_of(void* user) {
  return *static_cast<http2_stream*>(user);
}

} // namespace

protocol& http2_stream::carrier() noexcept {
  return connection.carrier();
}

deferred<std::string> http2_stream::read_body(detail::http_request_state&, bool all,
                                              std::size_t limit) {
  return connection.read_body(*this, all, limit);
}

http2_connection::http2_connection(protocol& carrier,
                                   std::shared_ptr<const detail::http_service> service,
                                   const http2_options& options)
  : carrier_(carrier), service_(std::move(service)), options_(options),
    session_(*this, service_->options.limits, options) {}

http2_connection::~http2_connection() = default;

void http2_connection::taken_over(transport& t) {
  transport_ = &t;
  earned_at_ = now();
  work(); // our settings come first
}

void http2_connection::data_received(bytes_view data) {
  if (transport_ == nullptr)
    return;
  if (closing_) {
    discarded_ += data.size();
    if (discarded_ > service_->options.max_discarded)
      transport_->abort_connection();
    return;
  }
  const auto at = now();
  const auto passed = std::chrono::duration<double>(at - earned_at_).count();
  if (const auto frames = static_cast<std::uint64_t>(passed * options_.overhead_per_second)) {
    session_.earn(frames);
    earned_at_ = at;
  }
  {
    busy_ = true;
    struct guard {
      bool& busy;
      ~guard() { busy = false; }
    } const done{busy_};
    session_.receive(as_text(data));
  }
  if (session_.in_head() != in_head_) {
    in_head_ = session_.in_head();
    head_since_ = at;
    if (in_head_)
      arm_after(at, service_->options.head_timeout);
  }
  work();
}

void http2_connection::connection_lost(const failure& reason) {
  transport_ = nullptr;
  stuck_ = false;
  drop_streams(reason);
}

// -- what the session tells ---------------------------------------------------------------------

void http2_connection::head_received(std::int32_t stream, http_request_head&& head, bool ended,
                                     const http2_refusal& refusal) {
  auto made = std::make_unique<http2_stream>(*this, stream);
  auto& s = *made;
  s.request =
    spare_ ? std::exchange(spare_, nullptr) : std::make_shared<detail::http_request_state>();
  s.request->head = std::move(head);
  if (s.request->head.offers_upgrade()) { // which is no body, what follows
    s.tunnel = std::make_unique<http2_tunnel>(*this, s, *transport_);
    if (ended)
      s.tunnel->read_ended();
    ended = true;
  }
  s.request->body.ended = ended;
  s.request->exchange = made.get();
  s.refusal = refusal;
  session_.set_user(stream, made.get());
  streams_.emplace(stream, std::move(made));
  fresh_.push_back(&s);
}

void http2_connection::data_received(void* user, std::string_view data) {
  auto& s = stream_of(user);
  s.owed += data.size();
  s.body_seen += data.size();
  if (s.tunnel) {
    if (!s.tunnel->over()) {
      s.tunnel->received(data);
    } else {
      s.discarded += data.size();
      if (s.discarded > service_->options.max_discarded)
        session_.reset(s.id, NGHTTP2_NO_ERROR);
    }
  } else if (s.sent_all) {
    // Not at once: there are clients which forget a response that is followed by a reset.
    s.discarded += data.size();
    if (s.discarded > service_->options.max_discarded)
      session_.reset(s.id, NGHTTP2_NO_ERROR); // RFC 9113, 8.1
  } else if (!s.request->body.broken) {
    s.request->body.text += data;
  }
  touch(s);
}

void http2_connection::message_ended(void* user, http_fields&& trailers) {
  if (user == nullptr)
    return;
  auto& s = stream_of(user);
  if (s.tunnel) {
    s.tunnel->read_ended();
    return touch(s);
  }
  s.request->trailers = std::move(trailers);
  s.request->body.ended = true;
  s.rated = false;
  touch(s);
}

std::optional<std::ptrdiff_t>
http2_connection::body_wanted(void* user, std::span<std::uint8_t> into, bool& end, bool& trailers) {
  auto& s = stream_of(user);
  std::size_t size = 0;
  if (s.taken_over()) {
    s.waits = !s.tunnel->take(into, size, end);
    if (s.waits)
      return {};
    s.moved_at = now();
    return static_cast<std::ptrdiff_t>(size);
  }
  const auto got = s.body.take(into, size, end);
  if (got == http2_body::got::failed) {
    note(s.body.reason());
    return -1;
  }
  if (got == http2_body::got::nothing_yet) {
    s.waits = true;
    if (!std::exchange(s.hungry, true))
      hungry_.push_back(&s);
    return {};
  }
  s.sent += size;
  s.moved_at = now();
  if (end && !s.trailers.empty()) {
    trailers = true;
    add_trailers(s);
  }
  return static_cast<std::ptrdiff_t>(size);
}

void http2_connection::message_sent(void* user) {
  auto& s = stream_of(user);
  s.sent_all = true;
  s.streams = false;
  if (s.taken_over()
        ? !s.tunnel->input_ended()
        : !s.request->body.ended) { // nobody reads what is left of it: see `data_received`
    s.moved_at = now();
    arm_after(s.moved_at, service_->options.write_timeout);
  } else if (!s.tunnel) {
    return;
  }
  touch(s);
}

void http2_connection::stream_closed(void* user, std::uint32_t code) {
  auto& s = stream_of(user);
  s.closed = true;
  s.code = code;
  ended_.push_back(&s);
}

void http2_connection::ping_answered() {
  say_end();
}

void http2_connection::goodbye_sent(std::uint32_t code, std::string_view reason) {
  if (code != NGHTTP2_NO_ERROR)
    note(reason.empty() ? nghttp2_http2_strerror(code) : reason);
}

// -- streams that are taken over ------------------------------------------------------------------

void http2_connection::touch(http2_stream& s) {
  if (!std::exchange(s.touched, true))
    touched_.push_back(&s);
}

void http2_connection::wake(http2_stream& s) {
  touch(s);
  work_soon();
}

void http2_connection::resume(http2_stream& s) {
  if (std::exchange(s.waits, false))
    session_.resume(s.id);
  work_soon();
}

void http2_connection::reset(http2_stream& s, std::uint32_t code) {
  if (!s.closed)
    session_.reset(s.id, code);
  work_soon();
}

void http2_connection::consume(http2_stream& s, std::size_t size) {
  if (s.closed) // the rest is given back with it
    return;
  s.owed -= size;
  session_.consume(s.id, size);
}

void http2_connection::left(http2_stream& s) {
  s.streams = true;
  s.moved_at = now();
  arm_after(s.moved_at, service_->options.write_timeout);
  resume(s);
  wake(s);
}

void http2_connection::push() {
  if (busy_ || closing_)
    return;
  busy_ = true;
  struct guard {
    bool& busy;
    ~guard() { busy = false; }
  } const done{busy_};
  row_ = 0;
  flush();
}

// Somebody may be in the middle of a call of the tunnel, or refer to it until his own end.
void http2_connection::bury(std::unique_ptr<http2_tunnel> t) {
  buried_.push_back(std::move(t));
  work_soon();
}

void http2_connection::work_soon() {
  if (alive_ || (busy_ && buried_.empty()))
    return;
  alive_ = caf::strong_actor_ptr{carrier_.ctrl()};
  carrier_.loop().at_end_of_turn(*this);
}

void http2_connection::turn_ended() noexcept {
  const auto alive = std::move(alive_);
  auto dead = std::move(buried_);
  dead.clear();
  carrier_.enter("the end of a turn", [this] { work(); });
}

// -- work ---------------------------------------------------------------------------------------

// Does what is to be done, until nothing is.
void http2_connection::work() {
  if (busy_ || transport_ == nullptr || closing_)
    return;
  {
    busy_ = true;
    struct guard {
      bool& busy;
      ~guard() { busy = false; }
    } const done{busy_};
    row_ = 0;
    do
      flush();
    while (step());
  }
  if (transport_ == nullptr || closing_)
    return;
  if (session_.over() && !stuck_)
    return close_politely();
  if (streams_.empty()) {
    if (!idle_since_)
      idle_since_ = now();
    arm_after(*idle_since_, service_->options.keep_alive_timeout);
  }
}

// Takes what the lists have; returns whether they had something.
bool http2_connection::step() {
  const bool some = !fresh_.empty() || !touched_.empty() || !hungry_.empty() || !ended_.empty();
  const auto take = [this](std::vector<http2_stream*>& list, auto&& fn) {
    doing_.clear();
    doing_.swap(list); // which may get others meanwhile
    for (auto* const s : doing_)
      fn(*s);
  };
  take(fresh_, [this](http2_stream& s) {
    if (!s.closed)
      begin_request(s);
  });
  take(touched_, [this](http2_stream& s) {
    s.touched = false;
    look_at(s);
  });
  take(hungry_, [this](http2_stream& s) {
    s.hungry = false;
    if (!s.closed)
      feed(s);
  });
  take(ended_, [this](http2_stream& s) {
    if (s.touched || s.hungry) // a list has it again
      ended_.push_back(&s);
    else
      end_stream(s);
  });
  return some;
}

void http2_connection::flush() {
  while (!stuck_ && transport_ != nullptr) {
    if (row_ >= most_in_a_row) {
      if (!std::exchange(goes_on_, true))
        carrier_.call_later(duration::zero(), [this] {
          goes_on_ = false;
          work();
        });
      return;
    }
    auto& out = scratch();
    session_.send(out, worth_a_write);
    if (out.empty())
      return;
    row_ += out.size();
    transport_->write(out);
    if (transport_->unsent() > most_unsent) {
      stuck_ = true;
      taken_at_ = now();
      taken_ = transport_->bytes_written() - transport_->unsent();
      arm_after(taken_at_, service_->options.write_timeout);
      transport_->register_producer(*this, false); // which calls resume_producing
    }
  }
}

void http2_connection::resume_producing() {
  if (!stuck_ || transport_ == nullptr || transport_->unsent() > most_unsent)
    return;
  stuck_ = false;
  transport_->unregister_producer();
  work();
}

void http2_connection::stop_producing() {
  stuck_ = false;
}

void http2_connection::begin_request(http2_stream& s) {
  const auto& o = service_->options;
  idle_since_.reset();
  if (++requests_ == o.max_requests)
    drain();
  if (s.refusal.status != 0) {
    note(s.refusal.reason);
    return respond(s, http_response{s.refusal.status, std::string{http_phrase(s.refusal.status)}
                                                        + ": " + s.refusal.reason + "\n"}
                        .set("X-Content-Type-Options", "nosniff"));
  }
  if (s.request->head.method() == "TRACE")
    return respond(s, http_response{405, "TRACE is off.\n"}.set("Allow", "GET, HEAD, POST"));
  if (s.request->head.method() == "CONNECT")
    return respond(s, http_response{405, "There is no tunnel here.\n"});
  try {
    answer(s, detail::in_callback("the handler", [&] {
             return service_->handler(detail::http_insides::request(s.request));
           }));
  } catch (...) {
    answered(s, failure::current());
  }
}

deferred<std::string> http2_connection::read_body(http2_stream& s, bool all, std::size_t limit) {
  auto& body = s.request->body;
  const auto length = s.request->head.content_length();
  if (all && length && *length > limit)
    return fail<std::string>(http_error{413, "The body is longer than allowed.\n"});
  auto waits = body.read(all, limit);
  s.reads_all = all;
  if (!body.ended && !s.closed) {
    if (s.request->head.expects_continue() && !s.continued && !s.responded) {
      s.continued = true;
      if (body.text.empty())
        session_.go_on(s.id);
    }
    if (!std::exchange(s.rated, true)) {
      s.body_due = saturating_add(now(), service_->options.body_check);
      arm_after(now(), service_->options.body_check);
    }
  }
  hand_body(s);
  work();
  return waits;
}

// Something came for it, or it has sent something.
void http2_connection::look_at(http2_stream& s) {
  if (s.closed && (!s.taken_over() || s.code != NGHTTP2_NO_ERROR))
    return;
  if (!s.tunnel)
    return hand_body(s);
  if (!s.taken_over())
    return;
  s.tunnel->look();
  if (s.tunnel->over())
    consume(s, s.owed);
}

void http2_connection::hand_body(http2_stream& s) {
  const auto request = s.request;
  request->hand_body();
  settle(s);
}

// Gives back to the client's windows what has been read, or nobody will read.
void http2_connection::settle(http2_stream& s) {
  if (s.closed || s.taken_over())
    return;
  auto& body = s.request->body;
  if (body.broken || s.sent_all)
    body.text = {};
  const auto unread = body.awaited() && s.reads_all ? 0 : body.text.size();
  if (s.owed > unread)
    session_.consume(s.id, std::exchange(s.owed, unread) - unread);
}

// The client has reset it, or all is done.
void http2_connection::end_stream(http2_stream& s) {
  const auto owner = std::move(streams_.at(s.id));
  streams_.erase(s.id);
  session_.consume_connection(s.owed);
  if (s.taken_over()) {
    const bool whole = s.code == NGHTTP2_NO_ERROR && s.sent_all;
    s.tunnel->end(whole ? failure{errc::connection_done}
                        : failure{errc::connection_lost, std::string{"the stream was reset: "}
                                                           + nghttp2_http2_strerror(s.code)});
    return bury(std::move(s.tunnel));
  }
  s.request->exchange = nullptr; // before the log, which is a user's code
  log_access(s);
  auto request = std::move(s.request);
  s.body.clear();
  if (s.sent_all && request.use_count() == 1 && request->head.fields().size() <= 32
      && request->body.text.capacity() <= 1024) {
    request->parameters.clear();
    request->rest_at = 0;
    request->body.clear();
    request->trailers = {};
    spare_ = std::move(request);
  } else if (s.sent_all) {
    request->body.fail(failure{errc::not_connected, "the request has its response"});
  } else {
    request->body.fail(
      failure{errc::connection_lost,
              "the stream was reset: " + std::string{nghttp2_http2_strerror(s.code)}});
    std::exchange(s.handler, {}).cancel();
  }
}

void http2_connection::drop_streams(const failure& why) {
  fresh_.clear();
  touched_.clear();
  hungry_.clear();
  ended_.clear();
  const auto of_requests = why.check(errc::connection_done) ? failure{errc::connection_lost}
                                                            : why; // for they are not done
  const auto all = std::exchange(streams_, {});
  for (const auto& [id, s] : all) {
    session_.set_user(id, nullptr);
    s->closed = true;
    if (s->request)
      s->request->exchange = nullptr; // before any code of a user's
  }
  for (const auto& [id, s] : all) {
    if (s->taken_over()) {
      s->tunnel->end(why);
      bury(std::move(s->tunnel));
      continue;
    }
    log_access(*s);
    s->request->body.fail(of_requests);
    std::exchange(s->handler, {}).cancel();
    s->body.clear();
  }
}

} // namespace troupe
