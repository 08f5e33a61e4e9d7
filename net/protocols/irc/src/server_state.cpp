#include <troupe/irc/server_state.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

#include <troupe/irc/message.hpp>

#include "cut_text.hpp"

namespace troupe::irc {

announcement::announcement(std::string_view from, std::string_view account,
                           std::string_view client_tags)
  : from_(from), account_(account), tags_(client_tags) {}

const shared_bytes& announcement::form(std::uint32_t capabilities) {
  const bool time = (capabilities & cap_server_time) != 0;
  const bool account = !account_.empty() && (capabilities & cap_account_tag) != 0;
  const bool tags = !tags_.empty() && (capabilities & cap_message_tags) != 0;
  auto& made = forms_[(time ? 1 : 0) + (account ? 2 : 0) + (tags ? 4 : 0)];
  if (!made.empty())
    return made;
  std::string line;
  const auto add = [&line](std::string_view tag) {
    line.append(line.empty() ? "@" : ";").append(tag);
  };
  if (time)
    add("time=" + tag_time(std::chrono::system_clock::now()));
  if (account) {
    add("account=");
    append_tag_value(line, account_);
  }
  if (tags)
    add(tags_);
  if (!line.empty())
    line += ' ';
  const auto begin = line.size();
  line.append(":").append(from_).append(" ").append(text_);
  line.resize(begin + cut_text(std::string_view{line}.substr(begin), longest_line - 2).size());
  line += "\r\n";
  return made = shared_bytes{line};
}

std::string tag_time(std::chrono::system_clock::time_point when) {
  const auto seconds = std::chrono::system_clock::to_time_t(when);
  const auto ms =
    std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32], whole[48];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(whole, sizeof whole, "%s.%03dZ", text, static_cast<int>(ms));
  return whole;
}

std::optional<std::chrono::system_clock::time_point> parse_tag_time(std::string_view text) {
  constexpr std::string_view form = "0000-00-00T00:00:00.000Z";
  const auto digit = [](char c) {
    return c >= '0' && c <= '9';
  };
  std::string whole{text};
  if (whole.size() == form.size() - 4 && whole.back() == 'Z')
    whole.replace(whole.size() - 1, 1, ".000Z");
  if (whole.size() != form.size())
    return std::nullopt;
  for (std::size_t i = 0; i < form.size(); ++i)
    if (form[i] == '0' ? !digit(whole[i]) : whole[i] != form[i])
      return std::nullopt;
  const auto number = [&whole](std::size_t at, std::size_t digits) {
    int n = 0;
    for (const char c : whole.substr(at, digits))
      n = n * 10 + (c - '0');
    return n;
  };
  using namespace std::chrono;
  const year_month_day day{year{number(0, 4)}, month{static_cast<unsigned>(number(5, 2))},
                           std::chrono::day{static_cast<unsigned>(number(8, 2))}};
  // 60: a leap second
  if (!day.ok() || number(0, 4) < 1970 || number(11, 2) > 23 || number(14, 2) > 59
      || number(17, 2) > 60)
    return std::nullopt;
  const sys_time<milliseconds> when = sys_days{day} + hours{number(11, 2)} + minutes{number(14, 2)}
                                      + seconds{number(17, 2)} + milliseconds{number(20, 3)};
  return std::min(when, floor<milliseconds>(system_clock::time_point::max()));
}

} // namespace troupe::irc
