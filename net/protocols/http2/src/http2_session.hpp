#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nghttp2/nghttp2.h>

#include <troupe/http/http_head.hpp>
#include <troupe/http2/http2_server.hpp>

namespace troupe {

/// Why a request is answered here, and not by its handler.
struct http2_refusal {
  int status = 0; // none
  const char* reason = "";
};

/// What a session hears of, and asks for. It is told in the middle of its work: nothing here calls the
/// session back but `consume`, `respond`, `reset` and `set_user`, and none runs code of users.
///
/// `user` is what `set_user` was given for the stream, or null.
class http2_events {
public:
  virtual void head_received(std::int32_t stream, http_request_head&& head, bool ended,
                             const http2_refusal& refusal) = 0;
  virtual void data_received(void* user, std::string_view data) = 0;
  virtual void request_ended(void* user, http_fields&& trailers) = 0;

  /// Wants some of the response's body.
  ///
  /// \returns how much; nothing if there is none yet (`resume` asks again), and -1 if there never will be
  /// \param end       set where this is the last of it
  /// \param trailers  set with `end` if fields follow, which are to be submitted now
  virtual std::optional<std::ptrdiff_t> body_wanted(void* user, std::span<std::uint8_t> into,
                                                    bool& end, bool& trailers) = 0;

  virtual void response_sent(void* user) = 0;                          // all of it
  virtual void stream_closed(void* user, std::uint32_t code) = 0;      // 0 is no error
  virtual void ping_answered() = 0;                                    // ours
  virtual void goodbye_sent(std::uint32_t code, std::string_view) = 0; // a GOAWAY, and its reason

protected:
  ~http2_events() = default;
};

/// The server's side of a connection of HTTP/2: bytes in, events out, and the other way round. nghttp2
/// does the frames, HPACK and windows; here are the heads of requests, and what a client may not do too
/// often.
///
/// Thread: one at a time. It has no transport and no clock.
class http2_session {
public:
  http2_session(http2_events& events, const http_request_limits& limits, const http2_options& o);

  /// Takes bytes that came. What is wrong with them is answered by the session itself: by a reset of
  /// their stream, or by a goodbye, after which it is `over`.
  void receive(std::string_view in);

  /// Appends what is to be sent, until `out` has `most` bytes or nothing is left.
  void send(std::string& out, std::size_t most);

  /// Tells whether it has said all, and wants to hear no more.
  [[nodiscard]] bool over() const noexcept;

  /// Tells whether a head has begun and is not whole.
  [[nodiscard]] bool in_head() const noexcept { return in_head_; }

  /// Lets `frames` more come that serve no request.
  void earn(std::uint64_t frames) noexcept;

  // -- streams ----------------------------------------------------------------------------------

  void set_user(std::int32_t stream, void* user);
  void respond(std::int32_t stream, std::span<const nghttp2_nv> fields, bool with_body);
  void go_on(std::int32_t stream); ///< 100 Continue
  void add_trailers(std::int32_t stream, std::span<const nghttp2_nv> fields);
  void resume(std::int32_t stream);
  void reset(std::int32_t stream, std::uint32_t code);

  /// Gives so much of the windows back; of a stream that is closed, of the connection's alone.
  void consume(std::int32_t stream, std::size_t size);
  void consume_connection(std::size_t size);

  // -- the end ----------------------------------------------------------------------------------

  /// Says that it is about to end: the client makes no more requests once it has read that. Then asks
  /// whether it has (`ping_answered`).
  void announce_end();

  /// Says which requests it will answer: those that came.
  void end();

  /// Ends at once, and says why. No response goes on.
  void fail(std::uint32_t code, const char* reason);

private:
  struct callbacks;
  struct deleter {
    void operator()(nghttp2_session* s) const noexcept { nghttp2_session_del(s); }
  };

  // A head, or trailers, as far as they came.
  struct incoming {
    std::string method;
    std::string authority;
    std::string path;
    std::string cookie;
    http_request_head head;
    http_fields trailers;
    http2_refusal refusal;
    std::optional<std::uint64_t> length;
    std::size_t size = 0;
    std::size_t count = 0;
    bool begun = false; // the head has its first line
    bool has_host = false;
    bool has_authority = false;
    bool is_trailers = false;
    bool expects_continue = false;
  };

  [[nodiscard]] bool spend() noexcept;
  [[nodiscard]] bool take_field(std::string_view name, std::string_view value);
  void take_regular(std::string_view name, std::string_view value);
  void begin_head();
  void refuse(int status, const char* reason) noexcept;
  void head_ended(std::int32_t stream, bool ended);

  http2_events& events_;
  const http_request_limits limits_;
  const http2_options options_;
  std::unique_ptr<nghttp2_session, deleter> session_;
  incoming in_;
  std::uint64_t left_; // frames that serve no request
  const char* failure_ = nullptr;
  std::uint32_t failure_code_ = 0;
  std::uint32_t continuations_ = 0; // of the head under way
  bool failed_ = false;             // the goodbye waits to be sent
  bool over_ = false;
  bool in_head_ = false;
};

} // namespace troupe
