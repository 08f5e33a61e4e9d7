#include <troupe/telnet/subnegotiation.hpp>

#include <algorithm>

namespace troupe {

namespace {

constexpr char is = 0, send = 1, info = 2;                // RFC 1091, 1572
constexpr char var = 0, value = 1, esc = 2, user_var = 3; // RFC 1572
constexpr char request = 1, accepted = 2, rejected = 3;   // RFC 2066
constexpr std::uint16_t largest_window = 1000;

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string upper(std::string_view text) {
  std::string all{text};
  std::transform(all.begin(), all.end(), all.begin(), [](char c) { return upper(c); });
  return all;
}

std::uint16_t number(std::string_view two) {
  return static_cast<std::uint16_t>(static_cast<std::uint8_t>(two[0]) << 8
                                    | static_cast<std::uint8_t>(two[1]));
}

bool safe_value(std::string_view text) {
  return !text.starts_with('-') && text.size() <= 128
         && std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

} // namespace

std::optional<window_size> parse_window_size(std::string_view data) {
  if (data.size() != 4)
    return {};
  const auto columns = number(data), rows = number(data.substr(2));
  return window_size{std::min(columns, largest_window), std::min(rows, largest_window)};
}

std::string make_window_size(window_size size) {
  return {static_cast<char>(size.columns >> 8), static_cast<char>(size.columns),
          static_cast<char>(size.rows >> 8), static_cast<char>(size.rows)};
}

std::string terminal_type_send() {
  return {send};
}

std::optional<std::string> parse_terminal_type(std::string_view data) {
  if (data.empty() || data.front() != is)
    return {};
  std::string name;
  for (const char c : data.substr(1)) {
    const char u = upper(c);
    const bool known = (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9')
                       || std::string_view{"-+./_ "}.find(u) != std::string_view::npos;
    if (known && name.size() < 40)
      name += u;
  }
  if (name.empty())
    return {};
  return name;
}

std::string make_terminal_type(std::string_view name) {
  return is + std::string{name};
}

std::string charset_request(const std::vector<std::string>& names) {
  std::string out{request};
  for (const auto& n : names)
    out.append(";").append(n);
  return out;
}

charset_message parse_charset(std::string_view data) {
  charset_message got;
  if (data.empty())
    return got;
  const char what = data.front();
  data.remove_prefix(1);
  if (what == rejected) {
    got.what = charset_message::kind::rejected;
  } else if (what == accepted) {
    got.what = charset_message::kind::accepted;
    got.names.emplace_back(data.substr(0, 40));
  } else if (what == request) {
    got.what = charset_message::kind::request;
    if (data.starts_with("[TTABLE]"))
      data.remove_prefix(std::min<std::size_t>(data.size(), 9));
    if (data.empty())
      return got;
    const char separator = data.front();
    data.remove_prefix(1);
    for (std::size_t at = 0; at != std::string_view::npos && got.names.size() < 32;) {
      at = data.find(separator);
      const auto name = data.substr(0, at);
      if (!name.empty() && name.size() <= 40)
        got.names.emplace_back(name);
      data.remove_prefix(at == std::string_view::npos ? data.size() : at + 1);
    }
  }
  return got;
}

std::string answer_charset(const std::vector<std::string>& names,
                           const std::vector<std::string>& ours) {
  for (const auto& name : names)
    for (const auto& known : ours)
      if (upper(name) == upper(known))
        return accepted + name;
  return {rejected};
}

std::vector<std::pair<std::string, std::string>>
parse_environment(std::string_view data, const std::vector<std::string>& allowed) {
  std::vector<std::pair<std::string, std::string>> all;
  if (data.empty() || (data.front() != is && data.front() != info))
    return all;
  data.remove_prefix(1);
  // A name and its value at a time: kind, text, and where the value is separated.
  std::string name, text;
  bool of_user = false, in_value = false, begun = false;
  const auto finish = [&] {
    const auto wanted = std::find(allowed.begin(), allowed.end(), name) != allowed.end();
    if (begun && in_value && !of_user && wanted && safe_value(text))
      all.emplace_back(name, text);
    name.clear();
    text.clear();
    in_value = false;
  };
  for (std::size_t i = 0; i < data.size(); ++i) {
    const char c = data[i];
    if (c == var || c == user_var) {
      finish();
      begun = true;
      of_user = c == user_var;
    } else if (c == value && !in_value) {
      in_value = true;
    } else if (c == esc && i + 1 < data.size()) {
      (in_value ? text : name) += data[++i];
    } else {
      (in_value ? text : name) += c;
    }
  }
  finish();
  return all;
}

std::string environment_send(const std::vector<std::string>& names) {
  std::string out{send};
  for (const auto& name : names) {
    out += var;
    for (const char c : name) {
      if (c >= var && c <= user_var)
        out += esc;
      out += c;
    }
  }
  return out;
}

std::string make_linemode(linemode_mode mode) {
  return {1, static_cast<char>((mode.edit ? 1 : 0) | (mode.trap_signals ? 2 : 0)
                               | (mode.acknowledged ? 4 : 0))};
}

std::optional<linemode_mode> parse_linemode(std::string_view data) {
  if (data.size() != 2 || data.front() != 1)
    return {};
  return linemode_mode{(data[1] & 1) != 0, (data[1] & 2) != 0, (data[1] & 4) != 0};
}

} // namespace troupe
