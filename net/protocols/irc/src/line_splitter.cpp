#include <troupe/irc/line_splitter.hpp>

#include <algorithm>

namespace troupe::irc {

// An unfinished line is too long as soon as no end can help it.
bool line_splitter::too_long(std::string_view line) const noexcept {
  constexpr auto most = longest_line - 2;
  if (line.empty() || line.front() != '@')
    return line.size() > most;
  const auto space = line.find(' ');
  if (space == std::string_view::npos)
    return line.size() >= tags_;
  return space + 1 > tags_ || line.size() - space - 1 > most;
}

line_splitter::status line_splitter::next(std::string_view& in, std::string_view& line) {
  if (handed_) {
    kept_.clear();
    handed_ = false;
    if (kept_.capacity() > 1024)
      kept_.shrink_to_fit();
  }
  while (!in.empty()) {
    const auto end = in.find_first_of("\r\n");
    if (skipping_) {
      in.remove_prefix(std::min(end, in.size()));
      if (in.empty())
        return status::more;
      skipping_ = false;
      continue;
    }
    if (end == 0 && kept_.empty()) {
      in.remove_prefix(1);
      continue;
    }
    const bool ended = end != std::string_view::npos;
    const auto piece = in.substr(0, end);
    std::string_view whole = piece;
    if (!kept_.empty() || !ended) {
      // Of what has no end no more is kept than what tells that it is too long.
      const auto most = longest_line + tags_ + 1;
      kept_ += piece.substr(0, most - std::min(most, kept_.size()));
      whole = kept_;
    }
    in.remove_prefix(piece.size() + (ended ? 1 : 0));
    if (too_long(whole)) {
      kept_.clear();
      kept_.shrink_to_fit();
      skipping_ = !ended;
      return status::too_long;
    }
    if (!ended)
      return status::more;
    handed_ = !kept_.empty();
    line = whole;
    return status::line;
  }
  return status::more;
}

} // namespace troupe::irc
