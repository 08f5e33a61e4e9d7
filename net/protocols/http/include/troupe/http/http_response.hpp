#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <troupe/net/factory.hpp>
#include <troupe/net/file_descriptor.hpp>
#include <troupe/net/transport.hpp>
#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/deferred.hpp>

namespace troupe {

namespace detail {
struct http_insides;
}

/// Gives a body piece by piece, as fast as the client takes them.
///
/// Thread: that of the connection. Lifetime: the response's; when the client goes, or the body has
/// ended, it is destroyed.
class http_body_source {
public:
  virtual ~http_body_source() = default;

  /// Returns the next piece, and an empty one at the end. It is asked again once the client has taken
  /// what it returned. A failure ends the connection in the middle of the body, so that the client sees
  /// that there is more.
  [[nodiscard]] virtual deferred<std::string> read() = 0;

  /// Returns the fields behind the body, names and values: asked once, when `read` has told its end. They
  /// reach clients of HTTP/2, and those of HTTP/1.1 if the body's size was not told before it.
  [[nodiscard]] virtual std::vector<std::pair<std::string, std::string>> trailers() { return {}; }
};

/// A part of a regular file, as a body.
struct http_file {
  file_descriptor descriptor;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// What has taken a connection over from HTTP, after "101 Switching Protocols" or a 2xx to CONNECT; of
/// HTTP/2, a stream.
///
/// Thread: the connection's. Lifetime: until the connection, or the stream, has ended.
class http_upgraded {
public:
  virtual ~http_upgraded() = default;

  /// Returns a protocol, new and on the connection's loop, that is to have the connection for its own, so that
  /// nothing is left of HTTP: then the head is written, its `make_connection` and `data_received` follow, the actor
  /// of the HTTP connection ends, and this object is destroyed without hearing more. None unless overridden.
  ///
  /// If the connection cannot be given away, `taken_over` follows: policies stand around it that know the
  /// protocol (`protocol_wrapper::may_move`), or it carries others too, as with HTTP/2.
  [[nodiscard]] virtual protocol_ptr successor() { return nullptr; }

  /// The head is written, and the connection is this object's; bytes that came already follow as
  /// `data_received`. If `t` is not the transport of the connection's actor, it is a stream, and ends
  /// alone: with `t.protocol_ended()` where it would end the actor.
  virtual void taken_over(transport& t) = 0;

  virtual void data_received(bytes_view data) = 0;

  /// The connection has ended. Called once if `taken_over` was.
  virtual void connection_lost(const failure& reason) = 0;

  /// The runtime stops: says goodbye in its own words, or closes, as it does unless overridden.
  virtual void stop_requested(transport& t) { t.lose_connection(); }
};

/// An answer to a request: a status, fields and a body.
///
/// ```cpp
/// http_response{404, "There is no such room.\n"};
/// http_response{}.type("application/json").set("Cache-Control", "no-store").body(text);
/// ```
///
/// The server adds Date, Content-Length or Transfer-Encoding, Connection and, if it is so configured,
/// Server. It sends no body where there is none: to HEAD, and with 204 and 304.
///
/// Thread: one at a time. Source: RFC 9110, 15; twisted.web.http.Request
class http_response {
public:
  static constexpr std::string_view plain_text = "text/plain; charset=utf-8";

  explicit http_response(int status = 200) : status_(status) {}
  http_response(int status, std::string text, std::string_view content_type = plain_text);

  /// Makes 302, or another status, with that Location: a URL or a path.
  ///
  /// \throws std::invalid_argument if `location` has bytes that a URL cannot have
  [[nodiscard]] static http_response redirect(std::string_view location, int status = 302);

  [[nodiscard]] static http_response html(std::string text) {
    return {200, std::move(text), "text/html; charset=utf-8"};
  }
  [[nodiscard]] static http_response json(std::string text) {
    return {200, std::move(text), "application/json"};
  }

  /// Makes 101, after which `next` has the connection; to CONNECT, and over HTTP/2, 200. There only who
  /// offers an upgrade gets it (`http_request_head::offers_upgrade`): others are told to use HTTP/1.1.
  ///
  /// \param protocol  for the field Upgrade
  [[nodiscard]] static http_response upgrade(std::string_view protocol,
                                             std::unique_ptr<http_upgraded> next);

  // -- fields -----------------------------------------------------------------------------------

  /// Adds a field.
  ///
  /// \throws std::invalid_argument if the name is no token, or the value has a control character, or
  ///         the field is one that the server writes: Content-Length, Transfer-Encoding, Connection,
  ///         Upgrade
  http_response& add(std::string_view name, std::string_view value) &;
  http_response&& add(std::string_view name, std::string_view value) && {
    return std::move(add(name, value));
  }

  /// As `add`, in the place of the fields of that name.
  http_response& set(std::string_view name, std::string_view value) &;
  http_response&& set(std::string_view name, std::string_view value) && {
    return std::move(set(name, value));
  }

  /// Sets Content-Type.
  http_response& type(std::string_view content_type) & { return set("Content-Type", content_type); }
  http_response&& type(std::string_view content_type) && { return std::move(type(content_type)); }

  /// Adds an element to a list, unless it is in there: `add_to_list("Vary", "Origin")`.
  http_response& add_to_list(std::string_view name, std::string_view element) &;

  void remove(std::string_view name);
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept;

  /// Lets the server close the connection behind this response.
  http_response& close() & {
    closes_ = true;
    return *this;
  }
  http_response&& close() && { return std::move(close()); }

  // -- body -------------------------------------------------------------------------------------

  http_response& body(std::string text) & {
    body_ = std::move(text);
    return *this;
  }
  http_response& body(shared_bytes bytes) & {
    body_ = std::move(bytes);
    return *this;
  }
  http_response& body(http_file file) & {
    body_ = std::move(file);
    return *this;
  }

  /// \param size  if it is known: what the source gives must have it, else the connection is aborted;
  ///              without, the body is sent in chunks
  http_response& body(std::unique_ptr<http_body_source> source,
                      std::optional<std::uint64_t> size = {}) & {
    body_ = streamed{std::move(source), size};
    return *this;
  }
  template <class... Args>
  http_response&& body(Args&&... args) && {
    return std::move(body(std::forward<Args>(args)...));
  }

  /// Returns the body if it is text that is here, else nothing.
  [[nodiscard]] std::string_view text() const noexcept {
    const auto* const text = std::get_if<std::string>(&body_);
    return text != nullptr ? std::string_view{*text} : std::string_view{};
  }

  [[nodiscard]] int status() const noexcept { return status_; }
  void set_status(int status) noexcept { status_ = status; }

private:
  friend class http_connection;
  friend struct detail::http_insides;

  struct streamed {
    std::unique_ptr<http_body_source> source;
    std::optional<std::uint64_t> size;
  };

  static void check(std::string_view name, std::string_view value);
  [[nodiscard]] std::pair<std::size_t, std::size_t> line_of(std::string_view name) const noexcept;

  int status_;
  bool closes_ = false;
  std::string fields_; // as they are sent
  std::variant<std::string, shared_bytes, http_file, streamed> body_;
  std::unique_ptr<http_upgraded> upgraded_;
};

/// What a handler returns: a response, or the promise of one.
class http_reply {
public:
  http_reply(http_response now) : value_(std::move(now)) {}
  http_reply(deferred<http_response> later) : value_(std::move(later)) {}
  http_reply(chained<http_response> later) : value_(deferred<http_response>(std::move(later))) {}

  /// Changes the response once it is there.
  ///
  /// \param fn  called with `http_response&`
  template <class F>
  [[nodiscard]] http_reply then(F fn) && {
    if (auto* const now = std::get_if<http_response>(&value_)) {
      fn(*now);
      return std::move(*this);
    }
    return std::move(std::get<deferred<http_response>>(value_))
      .add_callback([fn = std::move(fn)](http_response r) mutable {
        fn(r);
        return r;
      });
  }

  /// Returns it as a deferred, which may have its result already.
  [[nodiscard]] deferred<http_response> as_deferred() && {
    if (auto* const now = std::get_if<http_response>(&value_))
      return succeed(std::move(*now));
    return std::move(std::get<deferred<http_response>>(value_));
  }

private:
  friend class http_connection;
  friend struct detail::http_insides;
  std::variant<http_response, deferred<http_response>> value_;
};

class http_request;

/// Answers requests. It is called on the loop of each connection, so with several loops at once;
/// what it captures is shared.
using http_handler = std::function<http_reply(http_request)>;

} // namespace troupe
