#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/http/http_head.hpp>

namespace troupe {

/// How much of a request is taken; all in bytes but `fields`.
struct http_request_limits {
  std::size_t head = 16 * 1024;             // request line and fields together: else 431
  std::size_t fields = 100;                 // how many: else 431
  std::size_t target = 8 * 1024;            // else 414
  std::size_t chunk_line = 1024;            // the size of a chunk, with its extensions: else 400
  std::size_t chunk_extensions = 16 * 1024; // of one body: else 400
  std::size_t trailers = 16 * 1024;         // else 431; as many fields as in the head
};

/// Reads requests from a stream of bytes, one after the other.
///
/// Every line that is no data of a body is checked here once it is whole, by rules that leave no room
/// for two readings, and then read by llhttp in its strict mode as well: what one of both refuses, or
/// both do not read alike, is refused. It holds a head, one line of a chunk or the trailers, as far as
/// they came and up to the limits; data of bodies is handed through.
///
/// ```cpp
/// for (;;)
///   switch (parser.next(in)) {
///     case http_request_parser::event::more: return;
///     case http_request_parser::event::head: begin(parser.head()); break;
///     case http_request_parser::event::body: add(parser.body()); break;
///     case http_request_parser::event::end: finish(); break;
///     case http_request_parser::event::refused: return refuse(parser.status(), parser.reason());
///   }
/// ```
///
/// Thread: one at a time. Source: RFC 9112
class http_request_parser {
public:
  enum class event : std::uint8_t {
    more,    ///< all of the input is taken
    head,    ///< a head is whole: `head()`, good until the next one begins
    body,    ///< some data of the body: `body()`, good as long as what `in` showed
    end,     ///< the request is whole, with `trailers()`; what follows is the next one
    refused, ///< this is no request that we take: `status()` and `reason()`; nothing else follows
  };

  explicit http_request_parser(const http_request_limits& limits = {}) noexcept;

  /// Takes from the front of `in` up to the next event.
  event next(std::string_view& in);

  [[nodiscard]] http_request_head& head() noexcept { return head_; }
  [[nodiscard]] std::string_view body() const noexcept { return body_; }
  [[nodiscard]] const http_fields& trailers() const noexcept;
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const char* reason() const noexcept { return reason_; }

  /// Tells whether a head has begun and is not whole.
  [[nodiscard]] bool in_head() const noexcept {
    return state_ == state::head && head_.target_size_ == 0 // else it is the one before
           && (!head_.fields_.text_.empty() || skipped_line_);
  }

  /// Gives back memory that only a large head has needed.
  void shrink();

private:
  enum class state : std::uint8_t {
    head,
    data,
    chunk_line,
    chunk_data,
    chunk_end,
    trailers,
    failed
  };

  // http_request_limits in half the space: every idle connection has them. 4 GiB is beyond use.
  struct packed_limits {
    explicit packed_limits(const http_request_limits& from) noexcept
      : head(clamp(from.head)), fields(clamp(from.fields)), target(clamp(from.target)),
        chunk_line(clamp(from.chunk_line)), chunk_extensions(clamp(from.chunk_extensions)),
        trailers(clamp(from.trailers)) {}
    static std::uint32_t clamp(std::size_t n) noexcept {
      return static_cast<std::uint32_t>(n < UINT32_MAX ? n : UINT32_MAX);
    }
    std::uint32_t head;
    std::uint32_t fields;
    std::uint32_t target;
    std::uint32_t chunk_line;
    std::uint32_t chunk_extensions;
    std::uint32_t trailers;
  };

  // What a body in chunks needs, which few have.
  struct chunks {
    http_fields trailers;
    std::string line; // of a chunk, unfinished
  };

  // With room for the method and the version.
  [[nodiscard]] std::size_t longest_request_line() const noexcept {
    return std::size_t{limits_.target} + 64;
  }

  event refuse(int status, const char* reason) noexcept;
  bool find_end(std::string_view& in, std::string& text, std::size_t limit);
  event read_head(std::string_view& in);
  event read_line(std::string_view& in);
  event read_trailers(std::string_view& in);
  event finish_head();
  event chunk_line(std::string_view line);
  bool parse_request_line(std::string_view line);
  bool parse_fields(http_fields& fields, std::size_t at);
  bool note_field(std::string_view name, std::string_view value);
  bool note_transfer_coding(std::string_view value);
  bool note_host(std::string_view value);
  bool check_target();
  void begin_message() noexcept;
  bool agrees(std::string_view bytes, bool whole_head);

  // llhttp's parser, whose header is not ours to demand of users.
  alignas(8) std::array<std::byte, 160> llhttp_;

  packed_limits limits_;
  http_request_head head_;
  std::unique_ptr<chunks> chunks_; // from a head that tells of them until it is told to shrink
  std::string_view body_;
  const char* reason_ = "";
  std::uint64_t left_ = 0; // of the body, or of a chunk
  std::size_t extensions_ = 0;
  std::size_t line_size_ = 0; // of the line that the head or the trailers end with so far
  std::uint32_t lines_ = 0;
  int status_ = 0;
  state state_ = state::head;
  char last_ = 0; // byte of the head so far
  bool skipped_line_ = false;
  bool has_length_ = false;
  bool has_host_ = false;
  bool close_ = false;
  bool keep_ = false;
  bool upgrade_listed_ = false;
  bool has_upgrade_ = false;
};

} // namespace troupe
