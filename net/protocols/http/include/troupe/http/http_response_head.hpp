#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <troupe/http/http_head.hpp>

namespace troupe {

/// The head of a response, after all checks.
///
/// Thread: one at a time. Source: RFC 9112, 4 and 6
class http_response_head {
public:
  [[nodiscard]] int status() const noexcept { return status_; }

  /// Returns the text behind the status, which may be empty and means nothing. HTTP/2 has none.
  [[nodiscard]] std::string_view phrase() const noexcept {
    return std::string_view{fields_.text_}.substr(phrase_at_, phrase_size_);
  }

  [[nodiscard]] const http_fields& fields() const noexcept { return fields_; }
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
    return fields_.find(name);
  }

  /// Returns 1 and 1 for HTTP/1.1, 1 and 0 for HTTP/1.0, 2 and 0 for HTTP/2.
  [[nodiscard]] int major_version() const noexcept { return major_version_; }
  [[nodiscard]] int minor_version() const noexcept { return minor_version_; }

  /// Returns the length of the body that follows, if the head tells it: 0 where none follows, as behind
  /// the answer to HEAD, whatever its field Content-Length says.
  [[nodiscard]] std::optional<std::uint64_t> content_length() const noexcept {
    return chunked_ || until_close_ ? std::optional<std::uint64_t>{} : length_;
  }
  [[nodiscard]] bool chunked() const noexcept { return chunked_; }

  /// Tells whether nothing but the end of the connection tells where the body ends.
  [[nodiscard]] bool until_close() const noexcept { return until_close_; }

  /// Tells whether the server takes another request behind this one.
  [[nodiscard]] bool keep_alive() const noexcept { return keep_alive_; }

private:
  friend class http_response_parser;
  friend class detail::http_head_writer;

  http_fields fields_; // its text is the whole head
  std::uint64_t length_ = 0;
  std::uint32_t phrase_at_ = 0;
  std::uint32_t phrase_size_ = 0;
  std::uint16_t status_ = 0;
  std::uint8_t major_version_ = 1;
  std::uint8_t minor_version_ = 1;
  bool chunked_ = false;
  bool until_close_ = false;
  bool keep_alive_ = false;
};

} // namespace troupe
