#include <troupe/nats/nats_subject.hpp>

namespace troupe {

namespace {

constexpr bool visible(char c) noexcept {
  return static_cast<unsigned char>(c) > ' ' && c != 0x7f;
}

bool valid(std::string_view text, bool wildcards) noexcept {
  if (text.empty() || text.size() > longest_nats_subject)
    return false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '.') {
      if (!visible(text[i]))
        return false;
      continue;
    }
    if (i == begin)
      return false; // an empty token
    if (i == begin + 1) {
      if (text[begin] == '*' && !wildcards)
        return false;
      if (text[begin] == '>' && (!wildcards || i != text.size()))
        return false;
    }
    begin = i + 1;
  }
  return true;
}

std::string_view take_token(std::string_view& text) noexcept {
  const auto end = text.find('.');
  const auto token = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return token;
}

} // namespace

bool valid_nats_subject(std::string_view subject) noexcept {
  return valid(subject, false);
}

bool valid_nats_pattern(std::string_view pattern) noexcept {
  return valid(pattern, true);
}

bool valid_nats_queue(std::string_view name) noexcept {
  if (name.empty() || name.size() > longest_nats_subject)
    return false;
  for (const char c : name)
    if (!visible(c))
      return false;
  return true;
}

bool nats_matches(std::string_view pattern, std::string_view subject) noexcept {
  while (!pattern.empty() && !subject.empty()) {
    const auto wanted = take_token(pattern);
    if (wanted == ">")
      return true;
    const auto token = take_token(subject);
    if (wanted != "*" && wanted != token)
      return false;
  }
  return pattern.empty() && subject.empty();
}

} // namespace troupe
