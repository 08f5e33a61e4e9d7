#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <troupe/http/http_response_head.hpp>

namespace troupe {

/// How much of a response is taken; all in bytes but `fields` and `informational`.
struct http_response_limits {
  std::size_t head = 64 * 1024;             // status line and fields together
  std::size_t fields = 100;                 // how many
  std::size_t informational = 20;           // how many heads of 1xx before the final one
  std::size_t chunk_line = 1024;            // the size of a chunk, with its extensions
  std::size_t chunk_extensions = 16 * 1024; // of one body
  std::size_t trailers = 16 * 1024;         // as many fields as in the head
};

/// Reads responses from a stream of bytes, each after it was told which request it answers.
///
/// As `http_request_parser`, it checks every line that is no data of a body by rules that leave no room for
/// two readings, and lets llhttp read it in its strict mode as well. It holds a head, one line of a chunk or
/// the trailers, as far as they came and up to the limits; data of bodies is handed through.
///
/// ```cpp
/// parser.begin("GET");
/// for (;;)
///   switch (parser.next(in)) {
///     case http_response_parser::event::more: return;
///     case http_response_parser::event::informational: break;
///     case http_response_parser::event::head: begin(parser.head()); break;
///     case http_response_parser::event::body: add(parser.body()); break;
///     case http_response_parser::event::end: return finish();
///     case http_response_parser::event::refused: return refuse(parser.reason());
///   }
/// ```
///
/// Thread: one at a time. Source: RFC 9112, 4, 6 and 7
class http_response_parser {
public:
  enum class event : std::uint8_t {
    more,          ///< all of the input is taken
    informational, ///< a head of 1xx but 101 is whole: `head()`; the final one follows
    head,          ///< the final head is whole: `head()`, good until `begin`
    body,          ///< some data of the body: `body()`, good as long as what `in` showed
    end,     ///< the response is whole, with `trailers()`; nothing more is taken before `begin`
    refused, ///< this is no response that we take: `reason()`; nothing else follows
  };

  explicit http_response_parser(const http_response_limits& limits = {}) noexcept;

  /// Awaits the response to a request of this method: behind the head of one to HEAD there is no body, and
  /// behind that of a 2xx to CONNECT no HTTP.
  void begin(std::string_view method) noexcept;

  /// Takes from the front of `in` up to the next event.
  event next(std::string_view& in);

  /// Says that no more input comes, and the connection has ended cleanly.
  ///
  /// \returns `end` if that is where this response ends, or has ended; else `refused`
  event finish() noexcept;

  [[nodiscard]] http_response_head& head() noexcept { return head_; }
  [[nodiscard]] std::string_view body() const noexcept { return body_; }
  [[nodiscard]] const http_fields& trailers() const noexcept { return trailers_; }
  [[nodiscard]] const char* reason() const noexcept { return reason_; }

private:
  enum class state : std::uint8_t {
    status_line,
    fields,
    data,
    until_close,
    chunk_line,
    chunk_data,
    chunk_end,
    trailers,
    ended,
    failed
  };

  event refuse(const char* reason) noexcept;
  bool take_line(std::string_view& in, std::string& text, std::size_t limit, const char* too_long);
  event next_line(std::string_view& in);
  event next_data(std::string_view& in, bool chunk);
  void clear_head();
  bool status_line();
  bool field_line(http_fields& fields);
  bool note_field(std::string_view name, std::string_view value);
  bool note_length(std::string_view value);
  event finish_head();
  bool chunk_size();
  bool agrees(std::string_view bytes);
  bool head_agrees(bool bodiless);

  // llhttp's parser, whose header is not ours to demand of users.
  alignas(8) std::array<std::byte, 160> llhttp_;

  http_response_limits limits_;
  http_response_head head_;
  http_fields trailers_;
  std::string line_; // of a chunk
  std::string_view body_;
  const char* reason_ = "";
  std::uint64_t left_ = 0; // of the body, or of a chunk
  std::size_t extensions_ = 0;
  std::size_t line_at_ = 0; // where the line that is not whole begins in its text
  std::size_t informational_ = 0;
  state state_ = state::ended;
  bool to_head_ = false;
  bool to_connect_ = false;
  bool has_length_ = false;
  bool close_ = false;
  bool keep_ = false;
  bool shown_ = false; // an informational head, until the next one begins
};

} // namespace troupe
