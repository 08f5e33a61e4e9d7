#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Finds strings, each behind its length as a big-endian number of 1, 2 or 4 bytes, in a stream.
///
/// A string that lies whole in what it is given is not copied. Of an unfinished one it holds what came;
/// what a length merely claims takes no memory.
///
/// Thread: one at a time. Source: the framing of twisted.protocols.basic.IntNStringReceiver
class int_n_parser {
public:
  enum class status : std::uint8_t {
    more,     ///< all of the input is taken, and no string is whole
    string,   ///< a string is whole
    too_long, ///< the length says more than `max_length`; nothing else is found from now on
  };

  /// \param prefix      how many bytes a length has: 1, 2, or 4
  /// \param max_length  how many bytes a string may have
  int_n_parser(std::uint8_t prefix, std::size_t max_length) noexcept
    : max_length_(max_length), prefix_(prefix) {}

  /// Takes from the front of `in` up to the end of the next string.
  ///
  /// \param string  set to it; good until the next call, and for as long as what `in` shows
  status next(std::string_view& in, std::string_view& string);

  /// Returns the length of the string that is unfinished, or too long.
  [[nodiscard]] std::uint64_t length() const noexcept { return length_; }

  [[nodiscard]] std::size_t max_length() const noexcept { return max_length_; }
  void set_max_length(std::size_t bytes) noexcept { max_length_ = bytes; }

private:
  std::string unfinished_;
  std::size_t max_length_;
  std::uint64_t length_ = 0;
  const std::uint8_t prefix_;
  std::uint8_t have_ = 0; // bytes of the prefix
  bool handed_ = false;   // what is in `unfinished_` was handed out
};

} // namespace troupe
