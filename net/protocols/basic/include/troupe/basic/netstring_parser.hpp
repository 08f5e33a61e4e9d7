#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// What is wrong with a netstring.
enum class netstring_error : std::uint8_t {
  none,
  no_length,    ///< it does not begin with a digit
  leading_zero, ///< the length has a zero in front, as in "05:"
  no_colon,     ///< something else than a digit or a colon follows the length
  too_long,     ///< the length, or what has come of it, is more than the maximum
  no_comma,     ///< something else than a comma follows the string
};

/// Returns a sentence such as "a netstring does not begin with a digit".
[[nodiscard]] std::string_view to_string(netstring_error e) noexcept;

/// Finds netstrings in a stream: `5:hello,`.
///
/// A string that lies whole in what it is given is not copied. Of an unfinished one it holds what came;
/// what a length merely claims takes no memory. A length is refused with its first digit that is one
/// too many.
///
/// Thread: one at a time. Source: https://cr.yp.to/proto/netstrings.txt; the framing of
/// twisted.protocols.basic.NetstringReceiver
class netstring_parser {
public:
  enum class status : std::uint8_t {
    more,   ///< all of the input is taken, and no string is whole
    string, ///< a string is whole
    failed, ///< this is no netstring (`error`); nothing else is found from now on
  };

  /// \param max_length  how many bytes a string may have
  explicit netstring_parser(std::size_t max_length) noexcept : max_length_(max_length) {}

  /// Takes from the front of `in` up to the end of the next netstring.
  ///
  /// \param string  set to it; good until the next call, and for as long as what `in` shows
  status next(std::string_view& in, std::string_view& string);

  [[nodiscard]] netstring_error error() const noexcept { return error_; }

  [[nodiscard]] std::size_t max_length() const noexcept { return max_length_; }
  void set_max_length(std::size_t bytes) noexcept { max_length_ = bytes; }

private:
  enum class part : std::uint8_t { length, string, comma };

  status fail(netstring_error e) noexcept;
  status read_length(std::string_view& in) noexcept;

  std::string unfinished_;
  std::size_t max_length_;
  std::size_t length_ = 0;
  part part_ = part::length;
  netstring_error error_ = netstring_error::none;
  bool digits_ = false; // there is one
  bool handed_ = false; // what is in `unfinished_` was handed out
};

} // namespace troupe
