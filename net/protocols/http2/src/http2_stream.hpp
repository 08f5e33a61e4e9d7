#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

class http2_connection;

/// The body of a response, of which so much is taken as the client's windows let through.
///
/// What has to be waited for is held back in one piece, the next of which is fetched by the connection.
class http2_body {
public:
  /// Takes the body out of a response that has one.
  void begin(detail::http_insides::body&& from, std::optional<std::uint64_t> length);

  enum class got : std::uint8_t { some, nothing_yet, failed };

  /// Takes up to `into.size()` bytes.
  ///
  /// \param size  how many it took
  /// \param end   whether these are the last ones
  got take(std::span<std::uint8_t> into, std::size_t& size, bool& end);

  /// Tells why it has failed.
  [[nodiscard]] const char* reason() const noexcept { return reason_; }

  /// What the next piece is asked of, if it `is_empty` and has not ended.
  [[nodiscard]] http_body_source* source() const noexcept { return source_.get(); }
  [[nodiscard]] const std::shared_ptr<file_descriptor>& file() const noexcept { return file_; }
  [[nodiscard]] std::uint64_t file_at() const noexcept { return file_at_; }
  [[nodiscard]] std::size_t file_size() const noexcept; // of the next piece

  /// Adds the next piece of a source, which is empty at the end; or of a file.
  ///
  /// \returns false if it is not what was promised
  [[nodiscard]] bool add(std::string piece);

  [[nodiscard]] bool is_empty() const noexcept { return at_ == view_.size(); }
  [[nodiscard]] bool ended() const noexcept { return ended_; } // there is nothing behind it
  void clear();

private:
  std::string text_;
  shared_bytes bytes_;
  std::string_view view_; // of one of them
  std::size_t at_ = 0;
  std::unique_ptr<http_body_source> source_;
  std::shared_ptr<file_descriptor> file_; // shared with the thread that reads it
  std::uint64_t file_at_ = 0;
  std::uint64_t left_ = 0; // behind the piece, if `known_`
  const char* reason_ = "";
  bool known_ = false;
  bool ended_ = false; // there is nothing behind the piece
};

/// A request and its response.
///
/// States: handled -> (`responded`) responding -> (`sent_all`) done, when the request has ended too;
/// closed at any time, by the client's reset or the end of the connection.
///
/// Lifetime: its connection's, until it is closed.
class http2_stream final : public detail::http_exchange {
public:
  http2_stream(http2_connection& of, std::int32_t number) noexcept : connection(of), id(number) {}

  [[nodiscard]] protocol& carrier() noexcept override;
  [[nodiscard]] deferred<std::string> read_body(detail::http_request_state& s, bool all,
                                                std::size_t limit) override;

  http2_connection& connection;
  const std::int32_t id;
  std::shared_ptr<detail::http_request_state> request;
  http2_refusal refusal;
  canceller handler;
  http2_body body;
  std::string trailers;      // "Name: value\r\n" each
  std::uint64_t sent = 0;    // of the response's body
  std::size_t owed = 0;      // of the request's body: came, and is not given back to the windows
  std::size_t discarded = 0; // of it, behind the response
  std::size_t body_seen = 0; // since the rate was looked at
  time_point body_due{};     // when it is looked at next
  time_point moved_at{};     // when the client last took something
  std::uint32_t code = 0;    // with which it was closed
  int status = 0;            // of the response
  bool reads_all = false;    // the handler waits for the whole body
  bool rated = false;        // the body's rate is looked at
  bool continued = false;    // 100 Continue was sent
  bool responded = false;    // the response has begun
  bool streams = false;      // and its body goes on
  bool sent_all = false;     // it has ended
  bool waits = false;        // for the next piece of the response's body
  bool touched = false;      // it is in a list of the connection
  bool hungry = false;       // the same
  bool closed = false;
};

} // namespace troupe
