#include <troupe/http/http_text.hpp>

#include <array>

#include "http_characters.hpp"

namespace troupe {

namespace {

constexpr auto token_characters = detail::http_characters("!#$%&'*+-.^_`|~");

constexpr std::array<bool, 256> make_value_table() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < table.size(); ++c)
    table[c] = c == '\t' || (c >= 0x20 && c != 0x7f);
  return table;
}

constexpr auto value_characters = make_value_table();

// Looks at all of them, as almost every text is what it should be: no branch for each.
bool has_only(std::string_view text, const std::array<bool, 256>& allowed) noexcept {
  bool all = true;
  for (const char c : text)
    all &= allowed[static_cast<unsigned char>(c)];
  return all;
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9')
    return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

} // namespace

bool is_http_token(std::string_view text) noexcept {
  return has_only(text, token_characters) && !text.empty();
}

bool is_http_field_value(std::string_view text) noexcept {
  return has_only(text, value_characters);
}

bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size())
    return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i]))
      return false;
  return true;
}

std::string_view trim_http(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

bool next_http_element(std::string_view& list, std::string_view& element) noexcept {
  while (!list.empty()) {
    std::size_t end = 0;
    for (bool quoted = false; end < list.size() && (quoted || list[end] != ','); ++end) {
      if (quoted && list[end] == '\\' && end + 1 < list.size())
        ++end;
      else if (list[end] == '"')
        quoted = !quoted;
    }
    element = trim_http(list.substr(0, end));
    list.remove_prefix(end < list.size() ? end + 1 : end);
    if (!element.empty())
      return true;
  }
  return false;
}

bool http_list_has(std::string_view list, std::string_view element) noexcept {
  for (std::string_view found; next_http_element(list, found);)
    if (equal_without_case(found, element))
      return true;
  return false;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3)
        return {};
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high < 0 || low < 0)
        return {};
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

std::string percent_encode(std::string_view text, std::string_view also) {
  static constexpr char hex[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    const bool unreserved = (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9')
                            || std::string_view{"-._~"}.find(c) != std::string_view::npos;
    if (unreserved || also.find(c) != std::string_view::npos) {
      encoded += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      (encoded += '%') += hex[byte >> 4];
      encoded += hex[byte & 15];
    }
  }
  return encoded;
}

std::string html_escape(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text)
    switch (c) {
    case '&':
      escaped += "&amp;";
      break;
    case '<':
      escaped += "&lt;";
      break;
    case '>':
      escaped += "&gt;";
      break;
    case '"':
      escaped += "&quot;";
      break;
    case '\'':
      escaped += "&#39;";
      break;
    default:
      escaped += c;
    }
  return escaped;
}

} // namespace troupe
