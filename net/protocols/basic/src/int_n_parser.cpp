#include <troupe/basic/int_n_parser.hpp>

#include <algorithm>

namespace troupe {

namespace {

// Lengths up to this are believed, so that a string that comes in pieces is not moved.
constexpr std::uint64_t reserved_for_string = 16 * 1024;

} // namespace

int_n_parser::status int_n_parser::next(std::string_view& in, std::string_view& string) {
  if (handed_) {
    unfinished_ = {};
    handed_ = false;
  }
  for (; have_ < prefix_; ++have_) {
    if (in.empty())
      return status::more;
    length_ = length_ << 8 | static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
  }
  if (length_ > max_length_)
    return status::too_long;
  const auto size = static_cast<std::size_t>(length_);
  if (unfinished_.empty() && in.size() >= size) {
    string = in.substr(0, size);
    in.remove_prefix(size);
  } else {
    if (unfinished_.empty())
      unfinished_.reserve(static_cast<std::size_t>(std::min(length_, reserved_for_string)));
    const auto taken = std::min(in.size(), size - unfinished_.size());
    unfinished_ += in.substr(0, taken);
    in.remove_prefix(taken);
    if (unfinished_.size() < size)
      return status::more;
    string = unfinished_;
    handed_ = true;
  }
  length_ = 0;
  have_ = 0;
  return status::string;
}

} // namespace troupe
