#include "http2_client_connection.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <utility>

#include <troupe/http/http_agent.hpp>
#include <troupe/http2/http2_server.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "http2_fields.hpp"

namespace troupe {

namespace {

constexpr std::size_t worth_one_write = 64 * 1024;
constexpr std::size_t most_queued = 64 * 1024;    // then frames wait in the session
constexpr std::size_t most_at_once = 1024 * 1024; // then the loop's others have their turn
constexpr std::size_t most_passed_over = 64 * 1024;

http2_client_stream& asked_by(void* user) {
  return *static_cast<http2_client_stream*>(user);
}

class http2_multiplexing final : public detail::http_multiplexing {
public:
  explicit http2_multiplexing(const http2_client_options& o) noexcept : options_(o) {}

  std::unique_ptr<detail::http_multiplexer>
  make(detail::http_multiplexer_host& host) const override {
    return std::make_unique<http2_client_connection>(host, options_);
  }
  std::vector<std::string> alpn() const override { return http2_alpn(); }
  bool prior_knowledge() const noexcept override { return options_.prior_knowledge; }

private:
  const http2_client_options options_;
};

} // namespace

std::shared_ptr<const detail::http_multiplexing> http2_client(const http2_client_options& o) {
  constexpr std::uint32_t widest = std::numeric_limits<std::int32_t>::max();
  if (o.max_streams == 0)
    throw std::invalid_argument("http2_client: a connection without streams");
  if (o.stream_window == 0 || o.stream_window > o.connection_window || o.connection_window > widest)
    throw std::invalid_argument(
      "http2_client: a window is from 1 to 2^31 - 1, and a stream's not above its connection's");
  return std::make_shared<const http2_multiplexing>(o);
}

http2_client_connection::http2_client_connection(detail::http_multiplexer_host& host,
                                                 const http2_client_options& options)
  : host_(host), carrier_(host.carrier()), options_(options),
    session_(*this, host.options().limits, options), allowed_(options.max_streams) {}

http2_client_connection::~http2_client_connection() = default;

void http2_client_connection::begin() {
  transport_ = &carrier_.transport();
  earned_at_ = heard_at_ = idle_since_ = now();
  work(); // our settings come first
}

bool http2_client_connection::has_room() const noexcept {
  return transport_ != nullptr && !leaving_ && !over_
         && open_ < std::min<std::size_t>(allowed_, session_.most_streams());
}

http2_client_stream_ptr http2_client_connection::stream(std::int32_t id) const {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

// -- requests -----------------------------------------------------------------------------------

void http2_client_connection::run(const detail::http_job_ptr& job) {
  using insides = detail::http_client_insides;
  auto& r = job->request;
  const auto& o = host_.options();
  const auto s = std::make_shared<http2_client_stream>(*this);
  const auto length = insides::length(r);
  const auto host = r.field("Host");
  const auto authority = host ? std::string{*host} : r.url().authority();
  std::array<char, 24> digits;

  auto& out = detail::http2_scratch_fields();
  out.push_back(detail::http2_field(":method", r.method()));
  out.push_back(detail::http2_field(":scheme", r.url().scheme()));
  out.push_back(detail::http2_field(":authority", authority));
  out.push_back(detail::http2_field(":path", r.url().target()));
  for (const auto& [name, value] : insides::fields(r))
    if (!equal_without_case(name, "host"))
      out.push_back(detail::http2_field(name, value));
  if (!o.user_agent.empty() && !r.field("User-Agent"))
    out.push_back(detail::http2_field("user-agent", o.user_agent));
  if (o.decode && !r.field("Accept-Encoding"))
    out.push_back(detail::http2_field("accept-encoding", detail::http_codings()));
  if (length) {
    const auto* const end =
      std::to_chars(digits.data(), digits.data() + digits.size(), *length).ptr;
    out.push_back(detail::http2_field("content-length", {digits.data(), end}));
  }
  if (auto& source = insides::source(r)) {
    s->request_body.begin(detail::http_insides::streamed{std::move(source), insides::size(r)},
                          insides::size(r));
    s->streams = true;
  } else if (!insides::text(r).empty()) {
    s->request_body.begin(std::string_view{insides::text(r)});
    s->sending = job;
    s->streams = true;
  }
  const auto id = session_.request(out, s->streams, s.get());
  if (!id) { // after 2^30 requests
    if (insides::streams(r))
      insides::source(r) = s->request_body.release_source();
    leaving_ = true;
    leave();
    host_.request_ended();
    return host_.start_again(job);
  }
  s->id = *id;
  s->job = job;
  job->exchange = s.get();
  s->moved_at = now();
  streams_.emplace(s->id, s);
  if (++open_ == 1) {
    heard_at_ = s->moved_at;
    arm_after(heard_at_, options_.ping_after);
  }
  arm_after(s->moved_at, o.timeout);
  work();
}

void http2_client_connection::close() {
  leaving_ = true;
  work();
}

void http2_client_connection::abandon(const http2_client_stream_ptr& s) {
  carrier_.enter("a request", [&] {
    if (const auto job = std::exchange(s->job, nullptr))
      job->exchange = nullptr;
    if (!s->closed && !std::exchange(s->unwanted, true))
      session_.reset(s->id, NGHTTP2_CANCEL);
    touch(*s);
    work();
  });
}

void http2_client_connection::go_on(const http2_client_stream_ptr& s) {
  carrier_.enter("a response", [&] {
    touch(*s);
    work();
  });
}

// -- what comes ---------------------------------------------------------------------------------

void http2_client_connection::data_received(bytes_view data) {
  if (transport_ == nullptr || over_)
    return;
  const auto at = now();
  heard_at_ = at;
  pinged_at_.reset();
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
      arm_after(at, host_.options().timeout);
  }
  work();
}

bool http2_client_connection::has_head(void* user) const noexcept {
  return asked_by(user).has_head;
}

void http2_client_connection::informed(void* user) {
  auto& s = asked_by(user);
  if (++s.informational > host_.options().limits.informational)
    refuse(s, "there are more informational responses than allowed");
}

void http2_client_connection::head_received(void* user, http_response_head&& head, bool ended,
                                            const char* wrong) {
  auto& s = asked_by(user);
  s.has_head = true;
  s.ended = ended;
  s.heard_at = now();
  touch(s);
  if (s.unwanted || !s.job)
    return;
  if (wrong != nullptr)
    return refuse(s, wrong);
  ++answers_;
  if (allowed_ < options_.max_streams)
    ++allowed_;
  auto r = std::make_shared<detail::http_client_body>(s.job->request.url());
  r->head = std::move(head);
  r->exchange = &s;
  if (host_.options().decode && !ended) {
    s.unpacker = detail::make_http_unpacker(r->head.fields().joined("Content-Encoding"));
    r->decoded = s.unpacker != nullptr;
  }
  s.answered = std::exchange(s.job, nullptr);
  s.answered->exchange = nullptr;
  s.response = r;
  s.answer = std::move(r);
  arm_after(s.heard_at, host_.options().body_timeout);
}

void http2_client_connection::data_received(void* user, std::string_view data) {
  auto& s = asked_by(user);
  s.owed += data.size();
  s.heard_at = now();
  touch(s);
  if (s.unwanted)
    return;
  const auto r = s.body();
  if (!r) {
    s.discarded += data.size();
    if (s.discarded > most_passed_over) {
      s.unwanted = true;
      session_.reset(s.id, NGHTTP2_CANCEL);
    }
  } else if (s.unpacker) {
    s.packed += data;
  } else {
    r->body.text += data;
  }
}

void http2_client_connection::message_ended(void* user, http_fields&& trailers) {
  if (user == nullptr)
    return;
  auto& s = asked_by(user);
  s.ended = true;
  s.response_trailers = std::move(trailers);
  touch(s);
}

std::optional<std::ptrdiff_t> http2_client_connection::body_wanted(void* user,
                                                                   std::span<std::uint8_t> into,
                                                                   bool& end, bool& trailers) {
  auto& s = asked_by(user);
  if (s.unwanted)
    return -1;
  std::size_t size = 0;
  if (s.request_body.take(into, size, end) == http2_body::got::nothing_yet) {
    s.waits = s.hungry = true;
    touch(s);
    return {};
  }
  s.moved_at = now();
  if (end && !s.trailers.empty()) {
    trailers = true;
    auto& out = detail::http2_scratch_fields();
    detail::add_http2_lines(out, s.trailers);
    session_.add_trailers(s.id, out);
  }
  return static_cast<std::ptrdiff_t>(size);
}

void http2_client_connection::message_sent(void* user) {
  auto& s = asked_by(user);
  s.streams = false;
  s.moved_at = now();
  touch(s);
}

void http2_client_connection::reset_received(void* user) {
  asked_by(user).reset = true;
}

void http2_client_connection::stream_closed(void* user, std::uint32_t code) {
  auto& s = asked_by(user);
  s.closed = true;
  s.code = code;
  touch(s);
}

void http2_client_connection::goodbye_sent(std::uint32_t code, std::string_view reason) {
  if (code != NGHTTP2_NO_ERROR)
    wrong_ = {errc::malformed_input,
              std::string{"HTTP/2: "}
                + std::string{reason.empty() ? nghttp2_http2_strerror(code) : reason}};
}

// Gives a response up that is none.
void http2_client_connection::refuse(http2_client_stream& s, const char* why) {
  if (!s.why)
    s.why = {errc::malformed_input,
             (s.job ? "the response of " + s.job->origin + ": " : std::string{}) + why};
  s.unwanted = true;
  session_.reset(s.id, NGHTTP2_PROTOCOL_ERROR);
}

void http2_client_connection::touch(http2_client_stream& s) {
  if (!std::exchange(s.touched, true))
    touched_.push_back(s.shared_from_this());
}

// -- work ---------------------------------------------------------------------------------------

// Does what is to be done, until nothing is.
void http2_client_connection::work() {
  if (busy_ || transport_ == nullptr || over_)
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
    if (leaving_ && open_ == 0 && transport_ != nullptr) {
      session_.fail(NGHTTP2_NO_ERROR, "");
      flush();
    }
  }
  if (transport_ == nullptr)
    return;
  if (session_.over() || (stuck_ && session_.failed()))
    return finish();
  if (open_ == 0)
    arm_after(idle_since_, host_.options().idle_timeout);
}

bool http2_client_connection::step() {
  leave();
  const bool some = !touched_.empty() || more_room_;
  doing_.clear();
  doing_.swap(touched_); // which may get others meanwhile
  for (const auto& s : doing_) {
    s->touched = false;
    if (transport_ != nullptr)
      settle(s);
  }
  doing_.clear();
  if (std::exchange(more_room_, false))
    host_.has_room();
  return some;
}

void http2_client_connection::flush() {
  while (!stuck_ && transport_ != nullptr) {
    if (row_ >= most_at_once) {
      if (!std::exchange(goes_on_, true))
        carrier_.call_later(duration::zero(), [this] {
          goes_on_ = false;
          work();
        });
      return;
    }
    std::string out;
    session_.send(out, worth_one_write);
    if (out.empty())
      return;
    row_ += out.size();
    transport_->write(out);
    if (transport_->unsent() > most_queued) {
      stuck_ = true;
      transport_->register_producer(*this, false); // which calls resume_producing
    }
  }
}

void http2_client_connection::resume_producing() {
  if (!stuck_ || transport_ == nullptr || transport_->unsent() > most_queued)
    return;
  stuck_ = false;
  transport_->unregister_producer();
  work();
}

// Tells the host that no more requests are taken.
void http2_client_connection::leave() {
  if (leaving_ && !std::exchange(left_, true))
    host_.takes_no_more();
}

// The session has said, or heard, all.
void http2_client_connection::finish() {
  over_ = leaving_ = true;
  leave();
  if (std::exchange(stuck_, false)) {
    transport_->unregister_producer();
    transport_->abort_connection();
  } else {
    transport_->lose_connection();
  }
  drop_streams(wrong_ ? wrong_ : failure{errc::connection_lost, "the server said goodbye"});
}

void http2_client_connection::connection_lost(const failure& reason) {
  transport_ = nullptr;
  stuck_ = false;
  leaving_ = true;
  leave();
  drop_streams(reason.check(errc::connection_done) ? failure{errc::connection_lost} : reason);
}

} // namespace troupe
