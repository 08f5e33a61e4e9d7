#include "history_text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <ctime>
#include <vector>

#include <troupe/net/printable.hpp>

namespace {

constexpr std::size_t most_bytes = 64 * 1024;

std::string time_text(std::int64_t milliseconds) {
  const auto seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%m-%d %H:%M ", &parts)};
}

} // namespace

std::size_t history_lines(std::string_view count) {
  if (count.empty())
    return 20;
  std::size_t lines = 0;
  const auto [end, fault] = std::from_chars(count.data(), count.data() + count.size(), lines);
  return fault == std::errc{} && end == count.data() + count.size() && lines <= 100 ? lines : 0;
}

std::string history_text(const troupe::history_page& page, std::size_t lines) {
  // A message is what somebody said in one go: a line, or some.
  std::vector<std::string> found; // the newest first
  std::size_t bytes = 0;
  for (auto m = page.messages.rbegin(); m != page.messages.rend() && found.size() < lines; ++m) {
    const auto when = time_text((*m)->time);
    auto text = (*m)->bytes.text();
    while (!text.empty() && found.size() < lines) {
      text.remove_suffix(std::min<std::size_t>(text.ends_with("\r\n") ? 2 : 0, text.size()));
      const auto begin = text.rfind("\r\n");
      const auto line = begin == std::string_view::npos ? text : text.substr(begin + 2);
      bytes += when.size() + line.size() + 2;
      if (bytes > most_bytes)
        break;
      found.push_back(when + troupe::printable(line) + "\r\n"); // others may write there, too
      text = begin == std::string_view::npos ? std::string_view{} : text.substr(0, begin + 2);
    }
    if (bytes > most_bytes)
      break;
  }
  if (found.empty())
    return "Nothing was said here before.\r\n";
  std::string all = "What was said here before, in UTC:\r\n";
  for (auto line = found.rbegin(); line != found.rend(); ++line)
    all += *line;
  return all + "That was it.\r\n";
}
