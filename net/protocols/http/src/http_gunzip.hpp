#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace troupe::detail {

/// Unpacks gzip, piece by piece: bytes in, at most as many bytes out as there is room for.
///
/// Members that follow each other are one text. Memory: 44 KiB from the first byte on.
///
/// Thread: one at a time. Source: RFC 1952
class http_gunzip {
public:
  http_gunzip();
  ~http_gunzip();

  /// Unpacks from the front of `in`, and appends up to `room` bytes to `out`.
  ///
  /// \returns false if this is not gzip, or `too_much()`; then it is not called again
  bool step(std::string_view& in, std::string& out, std::size_t room);

  /// Tells whether the room was used up, so that there may be more without further input.
  [[nodiscard]] bool full() const noexcept { return full_; }

  /// Tells whether what came is whole; nothing at all is.
  [[nodiscard]] bool whole() const noexcept { return between_; }

  /// Tells whether it gave more than 1000 times what it took, and more than 1 MiB: no text does.
  [[nodiscard]] bool too_much() const noexcept {
    return given_ > 1024 * 1024 && given_ / 1000 > taken_;
  }

private:
  struct stream;
  std::unique_ptr<stream> stream_;
  std::uint64_t taken_ = 0;
  std::uint64_t given_ = 0;
  bool between_ = true; // members
  bool full_ = false;
};

} // namespace troupe::detail
