#include <troupe/irc/ctcp.hpp>

#include <algorithm>

namespace troupe::irc {

namespace {

constexpr char mark = 0x01;
constexpr char low = 0x10;

std::string ctcp_quote(std::string_view text) {
  std::string quoted;
  for (const char c : text)
    if (c == mark)
      quoted += "\\a";
    else if (c == '\\')
      quoted += "\\\\";
    else
      quoted += c;
  return quoted;
}

std::string ctcp_dequote(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      if (text[i] != '\\')
        plain += text[i];
      continue;
    }
    ++i;
    plain += text[i] == 'a' ? mark : text[i];
  }
  return plain;
}

} // namespace

std::string low_quote(std::string_view text) {
  std::string quoted;
  for (const char c : text)
    switch (c) {
    case '\0':
      quoted.append(1, low).append("0");
      break;
    case '\n':
      quoted.append(1, low).append("n");
      break;
    case '\r':
      quoted.append(1, low).append("r");
      break;
    case low:
      quoted.append(2, low);
      break;
    default:
      quoted += c;
    }
  return quoted;
}

std::string low_dequote(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != low) {
      plain += text[i];
      continue;
    }
    if (++i == text.size())
      break;
    switch (text[i]) {
    case '0':
      plain += '\0';
      break;
    case 'n':
      plain += '\n';
      break;
    case 'r':
      plain += '\r';
      break;
    default:
      plain += text[i];
    }
  }
  return plain;
}

ctcp_text ctcp_extract(std::string_view text) {
  ctcp_text parts;
  for (bool inside = false;; inside = !inside) {
    const auto piece = text.substr(0, text.find(mark));
    if (!inside) {
      parts.text += piece;
    } else if (!piece.empty()) {
      const auto plain = ctcp_dequote(piece);
      const auto space = plain.find(' ');
      ctcp_request request{plain.substr(0, space), {}};
      std::ranges::transform(request.tag, request.tag.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      });
      if (space != std::string::npos)
        request.data = plain.substr(space + 1);
      parts.requests.push_back(std::move(request));
    }
    if (piece.size() == text.size())
      return parts;
    text.remove_prefix(piece.size() + 1);
  }
}

std::string ctcp_string(const ctcp_request& request) {
  std::string text{mark};
  text += ctcp_quote(request.tag);
  if (request.data)
    text += ' ' + ctcp_quote(*request.data);
  return text + mark;
}

} // namespace troupe::irc
