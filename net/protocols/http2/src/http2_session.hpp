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

namespace troupe {

/// What a session hears of, and asks for. It is told in the middle of its work: nothing here calls the
/// session back but `consume`, `respond`, `reset` and `set_user`, and none runs code of users.
///
/// `user` is what `set_user` was given for the stream, or null. A message is a request or a response.
class http2_events {
public:
  virtual void data_received(void* user, std::string_view data) = 0;
  virtual void message_ended(void* user, http_fields&& trailers) = 0; // the one that comes

  /// Wants some of the body that is sent.
  ///
  /// \returns how much; nothing if there is none yet (`resume` asks again), and -1 if there never will be
  /// \param end       set where this is the last of it
  /// \param trailers  set with `end` if fields follow, which are to be submitted now
  virtual std::optional<std::ptrdiff_t> body_wanted(void* user, std::span<std::uint8_t> into,
                                                    bool& end, bool& trailers) = 0;

  virtual void message_sent(void* user) = 0;                           // all of it
  virtual void stream_closed(void* user, std::uint32_t code) = 0;      // 0 is no error
  virtual void ping_answered() = 0;                                    // ours
  virtual void goodbye_sent(std::uint32_t code, std::string_view) = 0; // a GOAWAY, and its reason

protected:
  ~http2_events() = default;
};

/// One side of a connection of HTTP/2: bytes in, events out, and the other way round. nghttp2 does the
/// frames, HPACK and windows; here is what a peer may not do too often. Heads are for those who derive
/// from it: the server's and the client's side.
///
/// Thread: one at a time. It has no transport and no clock.
class http2_session {
public:
  /// Takes bytes that came. What is wrong with them is answered by the session itself: by a reset of
  /// their stream, or by a goodbye, after which it is `over`.
  void receive(std::string_view in);

  /// Appends what is to be sent, until `out` has `most` bytes or nothing is left.
  void send(std::string& out, std::size_t most);

  /// Tells whether it has said all, and wants to hear no more.
  [[nodiscard]] bool over() const noexcept;

  /// Tells whether it has failed, and says so as soon as that can be sent.
  [[nodiscard]] bool failed() const noexcept { return failed_; }

  /// Tells whether a head has begun and is not whole.
  [[nodiscard]] bool in_head() const noexcept { return in_head_; }

  /// Lets `frames` more come that serve no request.
  void earn(std::uint64_t frames) noexcept;

  // -- streams ----------------------------------------------------------------------------------

  void set_user(std::int32_t stream, void* user);
  void add_trailers(std::int32_t stream, std::span<const nghttp2_nv> fields);
  void resume(std::int32_t stream);
  void reset(std::int32_t stream, std::uint32_t code);

  /// Gives so much of the windows back; of a stream that is closed, of the connection's alone.
  void consume(std::int32_t stream, std::size_t size);
  void consume_connection(std::size_t size);

  // -- the end ----------------------------------------------------------------------------------

  /// Ends at once, and says why. No response goes on.
  void fail(std::uint32_t code, const char* reason);

protected:
  http2_session(http2_events& events, bool is_server, std::uint32_t max_overhead,
                std::span<const nghttp2_settings_entry> settings, std::uint32_t connection_window);
  virtual ~http2_session();

  /// How a head, or trailers, may be.
  struct measure {
    std::size_t size;
    std::size_t fields;
  };

  // -- what comes, for the sides --

  /// A head begins, or what may be trailers. \returns whether it is trailers
  [[nodiscard]] virtual bool head_begins(const nghttp2_frame& f) = 0;
  [[nodiscard]] virtual measure most_of_head(bool trailers) const noexcept = 0;
  virtual void take_field(std::string_view name, std::string_view value) = 0; // no trailer
  virtual void
  too_long(const char* why) noexcept = 0; // what has begun; its fields are not told any more
  virtual void head_ended(std::int32_t stream, bool ended) = 0; // no trailers
  virtual void heard(const nghttp2_frame&) {}                   // any other frame

  [[nodiscard]] void* user_of(std::int32_t stream) const noexcept;
  [[nodiscard]] nghttp2_session* get() const noexcept { return session_.get(); }
  [[nodiscard]] static nghttp2_data_provider body_provider() noexcept;

private:
  struct callbacks;
  struct deleter {
    void operator()(nghttp2_session* s) const noexcept { nghttp2_session_del(s); }
  };

  // A head, or trailers, as far as they came.
  struct incoming {
    http_fields trailers;
    std::size_t size = 0;
    std::size_t count = 0;
    bool is_trailers = false;
    bool too_long = false;
  };

  [[nodiscard]] bool spend() noexcept;
  [[nodiscard]] bool count_field(std::string_view name, std::string_view value);

  http2_events& events_;
  std::unique_ptr<nghttp2_session, deleter> session_;
  incoming in_;
  const std::uint64_t most_left_;
  std::uint64_t left_; // frames that serve no request
  const char* failure_ = nullptr;
  std::uint32_t failure_code_ = 0;
  std::uint32_t continuations_ = 0; // of the head under way
  bool failed_ = false;             // the goodbye waits to be sent
  bool over_ = false;
  bool in_head_ = false;
};

/// Returns `made` unless nghttp2 has no memory, which nobody can go on without.
int http2_must(int made);

} // namespace troupe
