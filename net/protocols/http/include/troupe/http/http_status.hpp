#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace troupe {

/// Returns the phrase of a status, such as "Not Found"; "Unknown Status" for a number without one.
/// Source: RFC 9110, 15
[[nodiscard]] std::string_view http_phrase(int status) noexcept;

/// What a handler throws, or fails with, to answer with this status and text: for what the client did
/// wrong. Any other exception is ours: it is logged, and the client gets 500 and no more.
class http_error : public std::runtime_error {
public:
  /// \param status  400 to 599
  /// \param text    the client reads it; the phrase of the status if it is empty
  explicit http_error(int status, const std::string& text = {});

  [[nodiscard]] int status() const noexcept { return status_; }

private:
  int status_;
};

} // namespace troupe
