#include "http2_body.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace troupe {

namespace {

constexpr std::size_t file_piece = 128 * 1024;

} // namespace

void http2_body::begin(detail::http_insides::body&& from, std::optional<std::uint64_t> length) {
  known_ = length.has_value();
  left_ = 0;
  if (auto* const text = std::get_if<std::string>(&from)) {
    text_ = std::move(*text);
    view_ = text_;
    ended_ = true;
  } else if (auto* const bytes = std::get_if<shared_bytes>(&from)) {
    bytes_ = std::move(*bytes);
    view_ = bytes_.text();
    ended_ = true;
  } else if (auto* const file = std::get_if<http_file>(&from)) {
    file_ = std::make_shared<file_descriptor>(std::move(file->descriptor));
    file_at_ = file->offset;
    left_ = file->size;
  } else {
    source_ = std::move(std::get<detail::http_insides::streamed>(from).source);
    left_ = length.value_or(0);
  }
}

void http2_body::begin(std::string_view text) noexcept {
  view_ = text;
  at_ = 0;
  ended_ = true;
}

http2_body::got http2_body::take(std::span<std::uint8_t> into, std::size_t& size, bool& end) {
  size = 0;
  if (is_empty() && file_ && !ended_) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), left_));
    const auto read =
      detail::read_if_cached(*file_, std::as_writable_bytes(into.first(most)), file_at_);
    if (!read)
      return got::nothing_yet;
    if (*read == 0) {
      reason_ = "the file became shorter, or cannot be read";
      return got::failed;
    }
    size = *read;
    file_at_ += size;
    left_ -= size;
    ended_ = end = left_ == 0;
    return got::some;
  }
  if (is_empty() && !ended_)
    return got::nothing_yet;
  size = std::min(into.size(), view_.size() - at_);
  if (size > 0)
    std::memcpy(into.data(), view_.data() + at_, size);
  at_ += size;
  end = ended_ && is_empty();
  return got::some;
}

std::size_t http2_body::file_size() const noexcept {
  return static_cast<std::size_t>(std::min<std::uint64_t>(file_piece, left_));
}

bool http2_body::add(std::string piece) {
  if (piece.empty()) {
    ended_ = true;
    reason_ = file_ ? "the file became shorter" : "its source gave less than it promised";
    return !known_ || left_ == 0;
  }
  if (known_ && piece.size() > left_) {
    reason_ = "its source gave more than it promised";
    return false;
  }
  if (known_) {
    left_ -= piece.size();
    ended_ = left_ == 0;
  }
  file_at_ += piece.size();
  text_ = std::move(piece);
  view_ = text_;
  at_ = 0;
  return true;
}

void http2_body::clear() {
  source_.reset();
  file_.reset();
  text_ = {};
  bytes_ = {};
  view_ = {};
  at_ = 0;
  ended_ = true;
}

} // namespace troupe
