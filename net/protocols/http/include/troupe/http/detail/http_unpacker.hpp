#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::detail {

/// Unpacks a body, piece by piece: bytes in, at most as many bytes out as there is room for.
///
/// Thread: one at a time.
class http_unpacker {
public:
  virtual ~http_unpacker() = default;

  /// Unpacks from the front of `in`, and appends up to `room` bytes to `out`.
  ///
  /// \returns false if this is not packed so, or `too_much()`; then it is not called again
  virtual bool step(std::string_view& in, std::string& out, std::size_t room) = 0;

  /// Tells whether what came is whole; nothing at all is.
  [[nodiscard]] virtual bool whole() const noexcept = 0;

  /// Tells whether the room was used up, so that there may be more without further input.
  [[nodiscard]] bool full() const noexcept { return full_; }

  /// Tells whether it gave more than 1000 times what it took, and more than 1 MiB: no text does.
  [[nodiscard]] bool too_much() const noexcept {
    return given_ > 1024 * 1024 && given_ / 1000 > taken_;
  }

protected:
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
  bool full_ = false;
};

/// Returns what unpacks a coding, as Content-Encoding names it; null if nothing does.
std::unique_ptr<http_unpacker> make_http_unpacker(std::string_view coding);

/// Returns the codings that are unpacked, for Accept-Encoding: "gzip, br", or "gzip" where brotli is missing.
std::string_view http_codings() noexcept;

} // namespace troupe::detail
