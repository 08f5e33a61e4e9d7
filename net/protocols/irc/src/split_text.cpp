#include <troupe/irc/split_text.hpp>

#include <algorithm>
#include <stdexcept>

#include <troupe/irc/message.hpp>

namespace troupe::irc {

namespace {

bool continues(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}

// How much of `line`, which is longer than `room`, goes first.
std::size_t first_part(std::string_view line, std::size_t room) noexcept {
  const auto space = line.rfind(' ', room);
  if (space != std::string_view::npos && space > 0)
    return space;
  auto size = room;
  while (size > room - 4 && size > 1 && continues(line[size]))
    --size;
  return continues(line[size]) ? room : size; // no UTF-8 at all
}

} // namespace

std::vector<std::string_view> split_text(std::string_view text, std::size_t room) {
  if (room < 4)
    throw std::invalid_argument("irc::split_text: maximum length must exceed 3");
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    auto one = text.substr(0, text.find_first_of("\r\n"));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    while (one.size() > room) {
      const auto size = first_part(one, room);
      pieces.push_back(one.substr(0, size));
      one.remove_prefix(size);
      if (!one.empty() && one.front() == ' ')
        one.remove_prefix(1);
    }
    if (!one.empty())
      pieces.push_back(one);
  }
  return pieces;
}

std::size_t text_room(std::string_view prefix, std::string_view command,
                      std::string_view target) noexcept {
  const auto around = 1 + prefix.size() + 1 + command.size() + 1 + target.size() + 2 + 2;
  return longest_line - std::min(longest_line - 4, around);
}

} // namespace troupe::irc
