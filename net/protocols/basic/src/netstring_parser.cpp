#include <troupe/basic/netstring_parser.hpp>

#include <algorithm>

namespace troupe {

namespace {

constexpr std::size_t reserved_at_most = 16 * 1024; // of a length that is merely claimed

} // namespace

std::string_view to_string(netstring_error e) noexcept {
  switch (e) {
  case netstring_error::none:
    break;
  case netstring_error::no_length:
    return "a netstring does not begin with a digit";
  case netstring_error::leading_zero:
    return "the length of a netstring begins with a zero";
  case netstring_error::no_colon:
    return "no colon follows the length of a netstring";
  case netstring_error::too_long:
    return "a netstring is longer than allowed";
  case netstring_error::no_comma:
    return "no comma follows a netstring";
  }
  return "nothing is wrong";
}

netstring_parser::status netstring_parser::fail(netstring_error e) noexcept {
  error_ = e;
  unfinished_ = {};
  return status::failed;
}

// Reads digits and the colon; `string` is all of it.
netstring_parser::status netstring_parser::read_length(std::string_view& in) noexcept {
  while (!in.empty()) {
    const char c = in.front();
    if (c == ':') {
      if (!digits_)
        return fail(netstring_error::no_length);
      in.remove_prefix(1);
      part_ = part::string;
      return status::string;
    }
    if (c < '0' || c > '9')
      return fail(digits_ ? netstring_error::no_colon : netstring_error::no_length);
    if (digits_ && length_ == 0)
      return fail(netstring_error::leading_zero);
    const auto digit = static_cast<std::size_t>(c - '0');
    if (digit > max_length_ || length_ > (max_length_ - digit) / 10)
      return fail(netstring_error::too_long);
    length_ = length_ * 10 + digit;
    digits_ = true;
    in.remove_prefix(1);
  }
  return status::more;
}

netstring_parser::status netstring_parser::next(std::string_view& in, std::string_view& string) {
  if (error_ != netstring_error::none)
    return status::failed;
  if (handed_) {
    unfinished_ = {};
    handed_ = false;
  }
  if (part_ == part::length)
    if (const auto read = read_length(in); read != status::string)
      return read;
  if (part_ == part::string && unfinished_.empty() && in.size() > length_) {
    if (in[length_] != ',')
      return fail(netstring_error::no_comma);
    string = in.substr(0, length_);
    in.remove_prefix(length_ + 1);
  } else {
    if (part_ == part::string) {
      if (unfinished_.empty())
        unfinished_.reserve(std::min(length_, reserved_at_most));
      const auto taken = std::min(in.size(), length_ - unfinished_.size());
      unfinished_ += in.substr(0, taken);
      in.remove_prefix(taken);
      if (unfinished_.size() < length_)
        return status::more;
      part_ = part::comma;
    }
    if (in.empty())
      return status::more;
    if (in.front() != ',')
      return fail(netstring_error::no_comma);
    in.remove_prefix(1);
    string = unfinished_;
    handed_ = true;
  }
  part_ = part::length;
  length_ = 0;
  digits_ = false;
  return status::string;
}

} // namespace troupe
