#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace troupe::detail {

/// Unpacks one message: bytes in, steps of what they say out.
///
/// ```cpp
/// inflater.feed(piece);
/// while (inflater.step(room)) use(inflater.output());
/// if (inflater.wrong() != nullptr) ...
/// ```
///
/// The same comes out for every way in which the input is cut. Memory: 60 KiB.
///
/// Thread: one. Source: RFC 7692, 7.2.2
class websocket_inflater {
public:
  /// The most that one step gives.
  static constexpr std::size_t most = 16 * 1024;

  websocket_inflater();
  ~websocket_inflater();

  /// Says what comes next; the piece before it is used up. It stays good until the last step of it.
  void feed(std::string_view piece) noexcept;

  /// Says that the message ends here.
  void feed_end() noexcept;

  /// Makes up to `room` bytes of it, and no more than `most`.
  ///
  /// \returns false if there is nothing more in this piece, or it is wrong
  [[nodiscard]] bool step(std::size_t room);

  /// Returns how much of the piece no step has come to. Of the end, the same.
  [[nodiscard]] std::size_t unused() const noexcept;

  /// Returns what the last step made. Good until the next one.
  [[nodiscard]] std::string_view output() const noexcept { return output_; }

  /// Returns what is wrong, null if nothing is; and the code with which to refuse.
  [[nodiscard]] const char* wrong() const noexcept { return wrong_; }
  [[nodiscard]] std::uint16_t code() const noexcept { return code_; }

private:
  struct stream;

  bool refuse(std::uint16_t code, const char* why) noexcept;

  std::unique_ptr<stream> stream_;
  std::string_view output_;
  const char* wrong_ = nullptr;
  std::uint16_t code_ = 0;
  bool ends_ = false;  // what is fed is the end
  bool final_ = false; // a block has said that it is the last one
};

} // namespace troupe::detail
