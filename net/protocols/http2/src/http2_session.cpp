#include "http2_session.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>

namespace troupe {

namespace {

constexpr std::uint32_t most_continuations = 8;
constexpr std::size_t most_answers = 2000; // that wait for a client which reads nothing
constexpr std::uint64_t earned_by_sent =
  2; // a window update for the stream, one for the connection

constexpr std::size_t bomb = 4; // heads of so many times their limit end the connection

int must(int made) {
  return http2_must(made);
}

std::string_view text_of(nghttp2_rcbuf* b) {
  const auto v = nghttp2_rcbuf_get_buf(b);
  return {reinterpret_cast<const char*>(v.base), v.len};
}

} // namespace

int http2_must(int made) {
  if (made == NGHTTP2_ERR_NOMEM)
    throw std::bad_alloc{};
  return made;
}

// What nghttp2 calls: none of these lets an exception through.
struct http2_session::callbacks {
  static http2_session& self(void* p) { return *static_cast<http2_session*>(p); }

  template <class F>
  static int guarded(void* p, F&& fn) noexcept {
    try {
      return fn(self(p));
    } catch (...) {
      self(p).failure_ = "no memory";
      self(p).failure_code_ = NGHTTP2_INTERNAL_ERROR;
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }

  static int begin_frame(nghttp2_session*, const nghttp2_frame_hd* hd, void* p) noexcept {
    switch (hd->type) {
    case NGHTTP2_DATA:
    case NGHTTP2_HEADERS:
      return 0;
    case NGHTTP2_CONTINUATION:
      if (++self(p).continuations_ <= most_continuations)
        return 0;
      self(p).failure_ = "a head in too many frames";
      self(p).failure_code_ = NGHTTP2_ENHANCE_YOUR_CALM;
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
      if ((hd->flags & NGHTTP2_FLAG_ACK) != 0)
        return 0; // which are answers
      [[fallthrough]];
    default:
      return self(p).spend() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
  }

  static int begin_headers(nghttp2_session*, const nghttp2_frame* f, void* p) noexcept {
    if (f->hd.type != NGHTTP2_HEADERS) // a push, which was not asked for
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return guarded(p, [&](http2_session& me) {
      me.in_head_ = true;
      me.continuations_ = 0;
      me.in_ = {};
      me.in_.is_trailers = me.head_begins(*f);
      return 0;
    });
  }

  static int header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf* name,
                    nghttp2_rcbuf* value, std::uint8_t, void* p) noexcept {
    return guarded(p, [&](http2_session& me) {
      return me.count_field(text_of(name), text_of(value)) ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
    });
  }

  // nghttp2 would leave the field out.
  static int invalid_header(nghttp2_session* s, const nghttp2_frame* f, nghttp2_rcbuf*,
                            nghttp2_rcbuf*, std::uint8_t, void*) noexcept {
    nghttp2_submit_rst_stream(s, NGHTTP2_FLAG_NONE, f->hd.stream_id, NGHTTP2_PROTOCOL_ERROR);
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int frame_received(nghttp2_session*, const nghttp2_frame* f, void* p) noexcept {
    return guarded(p, [&](http2_session& me) {
      const bool ended = (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
      const auto stream = f->hd.stream_id;
      switch (f->hd.type) {
      case NGHTTP2_HEADERS:
        me.in_head_ = false;
        if (!me.in_.is_trailers)
          me.head_ended(stream, ended);
        else if (ended)
          me.events_.message_ended(me.user_of(stream), std::move(me.in_.trailers));
        return 0;
      case NGHTTP2_DATA:
        if (f->hd.length > f->data.padlen)
          me.earn(1);
        else if (!ended && !me.spend())
          return static_cast<int>(NGHTTP2_ERR_CALLBACK_FAILURE);
        if (ended)
          me.events_.message_ended(me.user_of(stream), {});
        return 0;
      case NGHTTP2_PING:
        if ((f->hd.flags & NGHTTP2_FLAG_ACK) != 0)
          me.events_.ping_answered();
        return 0;
      default:
        me.heard(*f);
        return 0;
      }
    });
  }

  static int invalid_frame(nghttp2_session*, const nghttp2_frame* f, int, void* p) noexcept {
    if (f->hd.type == NGHTTP2_HEADERS)
      self(p).in_head_ = false;
    return self(p).spend() ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
  }

  static int data(nghttp2_session* s, std::uint8_t, std::int32_t stream, const std::uint8_t* data,
                  std::size_t size, void* p) noexcept {
    return guarded(p, [&](http2_session& me) {
      auto* const user = nghttp2_session_get_stream_user_data(s, stream);
      if (user != nullptr)
        me.events_.data_received(user, {reinterpret_cast<const char*>(data), size});
      else
        must(nghttp2_session_consume(s, stream, size));
      return 0;
    });
  }

  static int frame_sent(nghttp2_session* s, const nghttp2_frame* f, void* p) noexcept {
    return guarded(p, [&](http2_session& me) {
      switch (f->hd.type) {
      case NGHTTP2_DATA:
      case NGHTTP2_HEADERS:
        if (f->hd.type == NGHTTP2_DATA || (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
          me.earn(earned_by_sent);
        if ((f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
          if (auto* const user = nghttp2_session_get_stream_user_data(s, f->hd.stream_id))
            me.events_.message_sent(user);
        return 0;
      case NGHTTP2_GOAWAY:
        if (f->goaway.error_code != NGHTTP2_NO_ERROR || me.failed_) {
          me.over_ = true;
          me.events_.goodbye_sent(
            f->goaway.error_code,
            {reinterpret_cast<const char*>(f->goaway.opaque_data), f->goaway.opaque_data_len});
        }
        return 0;
      default:
        return 0;
      }
    });
  }

  static int closed(nghttp2_session* s, std::int32_t stream, std::uint32_t code, void* p) noexcept {
    return guarded(p, [&](http2_session& me) {
      if (auto* const user = nghttp2_session_get_stream_user_data(s, stream))
        me.events_.stream_closed(user, code);
      return 0;
    });
  }

  static ssize_t body(nghttp2_session* s, std::int32_t stream, std::uint8_t* into, std::size_t size,
                      std::uint32_t* flags, nghttp2_data_source*, void* p) noexcept {
    try {
      auto* const user = nghttp2_session_get_stream_user_data(s, stream);
      if (user == nullptr)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      bool end = false;
      bool trailers = false;
      const auto got = self(p).events_.body_wanted(user, {into, size}, end, trailers);
      if (!got)
        return NGHTTP2_ERR_DEFERRED;
      if (*got < 0)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
      if (end)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (trailers)
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      return *got;
    } catch (...) {
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
  }
};

http2_session::http2_session(http2_events& events, bool is_server, std::uint32_t max_overhead,
                             std::span<const nghttp2_settings_entry> entries,
                             std::uint32_t connection_window)
  : events_(events), most_left_(max_overhead), left_(max_overhead) {
  // They serve all sessions, and never change.
  static const auto* const table = [] {
    nghttp2_session_callbacks* c = nullptr;
    must(nghttp2_session_callbacks_new(&c));
    nghttp2_session_callbacks_set_on_begin_frame_callback(c, callbacks::begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(c, callbacks::begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(c, callbacks::header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(c, callbacks::invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(c, callbacks::frame_received);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, callbacks::invalid_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, callbacks::data);
    nghttp2_session_callbacks_set_on_frame_send_callback(c, callbacks::frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(c, callbacks::closed);
    return c;
  }();
  static const auto* const settings = [] {
    nghttp2_option* p = nullptr;
    must(nghttp2_option_new(&p));
    nghttp2_option_set_no_auto_window_update(p, 1); // but as handlers read
    nghttp2_option_set_no_closed_streams(p, 1);
    nghttp2_option_set_max_settings(p, 32);
    nghttp2_option_set_max_outbound_ack(p, 1000);
    // Which counts how often such a frame goes on, be it by a byte; we count frames.
    nghttp2_option_set_max_continuations(p, 1 + 10 * most_continuations);
    return p;
  }();
  nghttp2_session* made = nullptr;
  must(is_server ? nghttp2_session_server_new2(&made, table, this, settings)
                 : nghttp2_session_client_new2(&made, table, this, settings));
  session_.reset(made);
  must(nghttp2_submit_settings(made, NGHTTP2_FLAG_NONE, entries.data(), entries.size()));
  must(nghttp2_session_set_local_window_size(made, NGHTTP2_FLAG_NONE, 0,
                                             static_cast<std::int32_t>(connection_window)));
}

http2_session::~http2_session() = default;

void http2_session::receive(std::string_view in) {
  if (failed_ || over_)
    return;
  const auto got = nghttp2_session_mem_recv(
    session_.get(), reinterpret_cast<const std::uint8_t*>(in.data()), in.size());
  if (got >= 0) {
    if (nghttp2_session_get_outbound_queue_size(session_.get()) > most_answers)
      fail(NGHTTP2_ENHANCE_YOUR_CALM, "answers that nobody reads");
    return;
  }
  in_head_ = false;
  if (failure_ != nullptr)
    return fail(failure_code_, failure_);
  switch (got) {
  case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
    return fail(NGHTTP2_PROTOCOL_ERROR, "no preface");
  case NGHTTP2_ERR_FLOODED:
  case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
    return fail(NGHTTP2_ENHANCE_YOUR_CALM, "too many frames that want an answer");
  default:
    return fail(NGHTTP2_INTERNAL_ERROR, nghttp2_strerror(static_cast<int>(got)));
  }
}

void http2_session::send(std::string& out, std::size_t most) {
  while (out.size() < most && !over_) {
    const std::uint8_t* data = nullptr;
    const auto size = nghttp2_session_mem_send(session_.get(), &data);
    if (size <= 0) {
      if (size < 0)
        over_ = true; // there is no memory to say so
      return;
    }
    out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
  }
}

bool http2_session::over() const noexcept {
  return over_
         || (nghttp2_session_want_read(session_.get()) == 0
             && nghttp2_session_want_write(session_.get()) == 0);
}

void http2_session::earn(std::uint64_t frames) noexcept {
  left_ = std::min<std::uint64_t>(left_ + frames, most_left_);
}

// Counts a frame that serves no request; false if there have been too many.
bool http2_session::spend() noexcept {
  if (left_ == 0) {
    failure_ = "too many frames that serve no request";
    failure_code_ = NGHTTP2_ENHANCE_YOUR_CALM;
    return false;
  }
  --left_;
  return true;
}

// Takes a field that nghttp2 has found right; false ends the connection.
bool http2_session::count_field(std::string_view name, std::string_view value) {
  in_.size += name.size() + value.size() + 4; // as it would have in HTTP/1.1
  ++in_.count;
  const auto most = most_of_head(in_.is_trailers);
  if (in_.size > bomb * most.size || in_.count > bomb * most.fields) {
    failure_ = "a head that is much longer than allowed";
    failure_code_ = NGHTTP2_ENHANCE_YOUR_CALM;
    return false;
  }
  if (!in_.too_long && (in_.size > most.size || in_.count > most.fields + 4)) {
    in_.too_long = true;
    if (!in_.is_trailers)
      too_long(in_.size > most.size ? "the head is longer than allowed"
                                    : "there are more fields than allowed");
  }
  if (in_.too_long)
    return true;
  if (!in_.is_trailers)
    take_field(name, value);
  else if (!detail::is_forbidden_in_trailers(name))
    detail::http_head_writer::add(in_.trailers, name, value);
  return true;
}

// -- streams ------------------------------------------------------------------------------------

void* http2_session::user_of(std::int32_t stream) const noexcept {
  return nghttp2_session_get_stream_user_data(session_.get(), stream);
}

nghttp2_data_provider http2_session::body_provider() noexcept {
  nghttp2_data_provider p{};
  p.read_callback = callbacks::body;
  return p;
}

void http2_session::set_user(std::int32_t stream, void* user) {
  nghttp2_session_set_stream_user_data(session_.get(), stream, user);
}

void http2_session::add_trailers(std::int32_t stream, std::span<const nghttp2_nv> fields) {
  must(nghttp2_submit_trailer(session_.get(), stream, fields.data(), fields.size()));
}

void http2_session::resume(std::int32_t stream) {
  must(nghttp2_session_resume_data(session_.get(), stream));
}

void http2_session::reset(std::int32_t stream, std::uint32_t code) {
  must(nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream, code));
}

void http2_session::consume(std::int32_t stream, std::size_t size) {
  must(nghttp2_session_consume(session_.get(), stream, size));
}

void http2_session::consume_connection(std::size_t size) {
  must(nghttp2_session_consume_connection(session_.get(), size));
}

// -- the end ------------------------------------------------------------------------------------

void http2_session::fail(std::uint32_t code, const char* reason) {
  if (failed_ || over_)
    return;
  failed_ = true;
  const std::string_view text{reason};
  if (must(nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE,
                                 nghttp2_session_get_last_proc_stream_id(session_.get()), code,
                                 reinterpret_cast<const std::uint8_t*>(text.data()), text.size()))
      != 0)
    over_ = true;
}

} // namespace troupe
