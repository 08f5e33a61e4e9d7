#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace troupe {

/// What a parser of forms takes in.
struct http_multipart_limits {
  /// Parts of a form; refused with 413.
  std::size_t parts = 100;

  /// Bytes of the head of a part; refused with 431.
  std::size_t head = 8 * 1024;

  /// Bytes of a part's name, and of its file's name; refused with 400.
  std::size_t name = 1024;
};

/// Parts of a form out of bytes (`multipart/form-data`): no transport, no clock.
///
/// ```cpp
/// for (;;)
///   switch (parser.next(in)) {
///   case http_multipart_parser::event::more: return; // all of the input is used
///   case http_multipart_parser::event::part: begin(parser.name(), parser.filename()); break;
///   case http_multipart_parser::event::data: write(parser.data()); break;
///   ...
/// ```
///
/// The same comes out for every way in which the input is cut; data comes in pieces as it is cut. It holds the
/// head of the present part, and nothing of its data. What two programs could read in two ways is refused: a part
/// without a name or with two, folded fields, bare CR or LF in a head, a boundary with something behind it.
///
/// Thread: one. Source: RFC 7578; RFC 2046, 5.1
class http_multipart_parser {
public:
  enum class event : std::uint8_t {
    more,     ///< all of the input is used
    part,     ///< a part begins: `name`, `filename`, `content_type`
    data,     ///< `data` is the next piece of it, never empty
    part_end, ///< it is whole
    end,      ///< the form is; what follows is passed over
    refused,  ///< `status` and `reason` say why; what follows is passed over
  };

  /// \throws std::invalid_argument if no boundary may be such (RFC 2046, 5.1.1)
  explicit http_multipart_parser(std::string_view boundary,
                                 const http_multipart_limits& limits = {});

  /// Returns the boundary that the value of a field Content-Type tells; nothing if that is no form of parts, or has no
  /// boundary that may be.
  [[nodiscard]] static std::optional<std::string> boundary_of(std::string_view content_type);

  /// Takes bytes off the front of `in`, up to the next event.
  [[nodiscard]] event next(std::string_view& in);

  /// Returns the name of the part: bytes as they came, mostly UTF-8.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// Returns how the client calls the file, or nothing for a field. It is the client's word: never use it as a path.
  [[nodiscard]] const std::optional<std::string>& filename() const noexcept { return filename_; }

  /// Returns the part's Content-Type, or nothing.
  [[nodiscard]] const std::string& content_type() const noexcept { return content_type_; }

  /// Returns the latest piece of data: as good as the input.
  [[nodiscard]] std::string_view data() const noexcept { return data_; }

  /// Tells whether the form is whole.
  [[nodiscard]] bool ended() const noexcept { return state_ == state::ended; }

  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] const char* reason() const noexcept { return reason_; }

private:
  enum class state : std::uint8_t { first, boundary, head, body, part_over, ended, refused };

  [[nodiscard]] event take_body(std::string_view& in);
  [[nodiscard]] event take_boundary(std::string_view& in);
  [[nodiscard]] event take_head(std::string_view& in);
  [[nodiscard]] bool read_head();
  [[nodiscard]] bool read_field(std::string_view line);
  [[nodiscard]] bool read_disposition(std::string_view value);
  event refuse(int status, const char* reason) noexcept;
  bool wrong(const char* reason) noexcept;

  const http_multipart_limits limits_;
  const std::string delimiter_; // CR LF "--" boundary
  std::string head_;            // as much as there is of it
  std::string name_;
  std::optional<std::string> filename_;
  std::string content_type_;
  std::string_view data_;
  std::size_t matched_ = 2; // of the delimiter, as if CR LF were before the first one
  std::size_t parts_ = 0;
  std::size_t padding_ = 0; // behind a boundary
  char behind_ = 0;         // what came behind a boundary: a dash or CR
  const char* reason_ = "";
  int status_ = 0;
  state state_ = state::first;
};

} // namespace troupe
