#include <troupe/net/endpoint_description.hpp>

#include <utility>

namespace troupe {

namespace {

// Nothing that moves the cursor, or ends the text; as long as `text`, for the mark below it.
std::string masked(std::string_view text) {
  std::string shown{text};
  for (auto& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return shown;
}

// The mark stands below the place: one space for each character in front of it.
std::string with_mark(std::string_view description, std::size_t position) {
  std::string space;
  for (const auto c : description.substr(0, position))
    if ((static_cast<unsigned char>(c) & 0xc0) != 0x80) // not within a character of UTF-8
      space += ' ';
  return "\n  " + masked(description) + "\n  " + space + '^';
}

} // namespace

endpoint_syntax_error::endpoint_syntax_error(std::string_view description, std::size_t position,
                                             const std::string& reason)
  : std::invalid_argument(masked(reason) + with_mark(description, position)), position_(position) {}

endpoint_description endpoint_description::parse(std::string_view text) {
  endpoint_description result{std::string(text), {}, {}};
  const auto wrong = [&](std::size_t at, const std::string& why) {
    throw endpoint_syntax_error(text, at, why);
  };
  std::size_t i = 0;
  // Reads up to the end of the part, or to a `=` if that ends it.
  const auto part = [&](bool ends_at_equals) {
    std::string value;
    for (; i < text.size() && text[i] != ':' && !(ends_at_equals && text[i] == '='); ++i) {
      if (text[i] == '\\' && ++i == text.size())
        wrong(i - 1, "a character was expected behind the backslash; \"\\\\\" is a backslash");
      value += text[i];
    }
    return value;
  };
  result.kind = part(true);
  if (i < text.size() && text[i] == '=')
    wrong(0, "a kind of endpoint was expected, such as \"tcp:\", and no keyword");
  if (result.kind.empty())
    wrong(0, "a kind of endpoint was expected, such as \"tcp:\"");
  while (i < text.size()) {
    const auto start = ++i;
    argument a{std::nullopt, part(true), start, start};
    if (i < text.size() && text[i] == '=') {
      a.value_position = ++i;
      a.keyword = std::exchange(a.value, part(false));
      if (a.keyword->empty())
        wrong(start, "a keyword was expected before \"=\"");
      for (const auto& b : result.arguments)
        if (a.keyword == b.keyword)
          wrong(start, '"' + *a.keyword + "\" is there twice");
    }
    result.arguments.push_back(std::move(a));
  }
  return result;
}

std::string quote_string_argument(std::string_view value) {
  std::string result;
  for (const auto c : value) {
    if (c == '\\' || c == ':' || c == '=')
      result += '\\';
    result += c;
  }
  return result;
}

} // namespace troupe
