#include <troupe/history/kept_message.hpp>

#include <charconv>

namespace troupe {

std::string to_string(const history_position& p) {
  if (p.epoch == 0)
    return {};
  char text[40];
  auto* end = std::to_chars(text, text + 16, p.epoch, 36).ptr;
  *end++ = '-';
  end = std::to_chars(end, std::end(text), p.sequence).ptr;
  return {text, end};
}

std::optional<history_position> parse_history_position(std::string_view text) {
  const auto take = [](std::string_view part, std::uint64_t& to, int base) {
    const auto [end, fault] = std::from_chars(part.data(), part.data() + part.size(), to, base);
    return fault == std::errc{} && end == part.data() + part.size();
  };
  const auto dash = text.find('-');
  history_position p;
  if (dash == std::string_view::npos || !take(text.substr(0, dash), p.epoch, 36)
      || !take(text.substr(dash + 1), p.sequence, 10) || p.epoch == 0)
    return std::nullopt;
  return p;
}

} // namespace troupe
