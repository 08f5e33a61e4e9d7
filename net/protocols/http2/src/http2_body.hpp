#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/http/detail/http_exchange.hpp>

namespace troupe {

/// The body of a message that is sent, of which so much is taken as the peer's windows let through.
///
/// What has to be waited for is held back in one piece, the next of which is fetched by the connection.
class http2_body {
public:
  /// Takes the body out of a message that has one.
  void begin(detail::http_insides::body&& from, std::optional<std::uint64_t> length);

  /// Takes a text that stays where it is until all of it is taken.
  void begin(std::string_view text) noexcept;

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

  /// Returns the source, which has given nothing yet.
  [[nodiscard]] std::unique_ptr<http_body_source> release_source() noexcept {
    return std::move(source_);
  }

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

} // namespace troupe
