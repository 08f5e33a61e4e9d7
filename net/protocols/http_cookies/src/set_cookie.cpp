#include "set_cookie.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include <troupe/http/http_text.hpp>
#include <troupe/net/address_networks.hpp>

namespace troupe::detail {

namespace {

constexpr std::size_t longest_attribute = 1024;

bool is_cookie_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

char small_letter(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string in_small_letters(std::string_view text) {
  std::string out{text};
  std::transform(out.begin(), out.end(), out.begin(), small_letter);
  return out;
}

// Takes a number of `least` to `most` digits from the front of `text`, which no digit follows.
std::optional<int> take_number(std::string_view& text, std::size_t least, std::size_t most) {
  std::size_t digits = 0;
  while (digits < text.size() && is_cookie_digit(text[digits]))
    ++digits;
  if (digits < least || digits > most)
    return {};
  int n = 0;
  std::from_chars(text.data(), text.data() + digits, n);
  text.remove_prefix(digits);
  return n;
}

// "10:18:14", and anything behind it but a digit.
bool take_time(std::string_view token, std::tm& at) {
  int* const parts[] = {&at.tm_hour, &at.tm_min, &at.tm_sec};
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > 0) {
      if (!token.starts_with(':'))
        return false;
      token.remove_prefix(1);
    }
    const auto n = take_number(token, 1, 2);
    if (!n)
      return false;
    *parts[i] = *n;
  }
  return true;
}

std::optional<int> month_of(std::string_view token) {
  constexpr std::array<std::string_view, 12> names{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
  const auto found = std::find(names.begin(), names.end(), in_small_letters(token.substr(0, 3)));
  return found == names.end() ? std::nullopt : std::optional<int>(found - names.begin());
}

bool is_date_delimiter(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x09 || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40)
         || (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

// Seconds from now; what is not above 0 has ended.
std::optional<std::time_t> end_of_age(std::string_view text, std::time_t now) {
  if (text.empty() || (!is_cookie_digit(text[0]) && text[0] != '-'))
    return {};
  const auto digits = text[0] == '-' ? text.substr(1) : text;
  if (!std::all_of(digits.begin(), digits.end(), is_cookie_digit))
    return {};
  std::int64_t age = 0;
  constexpr std::int64_t longest = std::int64_t{1} << 40;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), age);
  if (text[0] == '-' || (read.ec == std::errc{} && age == 0))
    return std::numeric_limits<std::time_t>::min();
  return now + (read.ec == std::errc{} ? std::min(age, longest) : longest);
}

} // namespace

std::optional<std::time_t> parse_cookie_date(std::string_view text) {
  std::tm at{};
  bool time = false, day = false, month = false, year = false;
  while (!text.empty()) {
    std::size_t size = 0;
    while (size < text.size() && !is_date_delimiter(text[size]))
      ++size;
    const auto token = text.substr(0, size);
    text.remove_prefix(std::min(size + 1, text.size()));
    if (token.empty())
      continue;
    if (!time && take_time(token, at)) {
      time = true;
      continue;
    }
    auto rest = token;
    if (!day)
      if (const auto n = take_number(rest, 1, 2)) {
        at.tm_mday = *n;
        day = true;
        continue;
      }
    if (!month)
      if (const auto n = month_of(token)) {
        at.tm_mon = *n;
        month = true;
        continue;
      }
    if (!year)
      if (const auto n = take_number(rest, 2, 4)) {
        at.tm_year = *n >= 100 ? *n : *n + (*n >= 70 ? 1900 : 2000);
        year = true;
      }
  }
  if (!time || !day || !month || !year || at.tm_mday < 1 || at.tm_mday > 31 || at.tm_year < 1601
      || at.tm_hour > 23 || at.tm_min > 59 || at.tm_sec > 59)
    return {};
  at.tm_year -= 1900;
  const auto wanted = at;
  const auto seconds = ::timegm(&at);
  if (at.tm_mday != wanted.tm_mday) // there is no such day in that month
    return {};
  return seconds;
}

std::optional<set_cookie> parse_set_cookie(std::string_view field, std::time_t now,
                                           std::size_t max_size) {
  for (const char c : field)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
      return {};
  const auto end = std::min(field.find(';'), field.size());
  const auto pair = field.substr(0, end);
  const auto equals = pair.find('=');
  if (equals == std::string_view::npos)
    return {};
  set_cookie c;
  c.name = trim_http(pair.substr(0, equals));
  c.value = trim_http(pair.substr(equals + 1));
  if (c.name.empty() || c.name.size() + c.value.size() > max_size)
    return {};
  std::optional<std::time_t> expires;
  std::optional<std::time_t> end_by_age;
  for (auto rest = field.substr(end); !rest.empty();) {
    rest.remove_prefix(1);
    const auto stop = std::min(rest.find(';'), rest.size());
    const auto attribute = rest.substr(0, stop);
    rest.remove_prefix(stop);
    const auto at = std::min(attribute.find('='), attribute.size());
    const auto name = trim_http(attribute.substr(0, at));
    const auto value = trim_http(attribute.substr(std::min(at + 1, attribute.size())));
    if (value.size() > longest_attribute)
      continue;
    if (equal_without_case(name, "Expires")) {
      if (const auto date = parse_cookie_date(value))
        expires = date;
    } else if (equal_without_case(name, "Max-Age")) {
      if (const auto age = end_of_age(value, now))
        end_by_age = age;
    } else if (equal_without_case(name, "Domain")) {
      c.domain = in_small_letters(value.starts_with('.') ? value.substr(1) : value);
    } else if (equal_without_case(name, "Path")) {
      c.path = value.starts_with('/') ? value : std::string_view{};
    } else if (equal_without_case(name, "Secure")) {
      c.secure = true;
    } else if (equal_without_case(name, "HttpOnly")) {
      c.http_only = true;
    }
  }
  c.expires = end_by_age ? end_by_age : expires;
  return c;
}

std::string default_cookie_path(std::string_view path) {
  const auto last = path.rfind('/');
  return path.starts_with('/') && last > 0 ? std::string{path.substr(0, last)} : "/";
}

bool cookie_path_matches(std::string_view of, std::string_view path) noexcept {
  return path.starts_with(of)
         && (path.size() == of.size() || of.ends_with('/') || path[of.size()] == '/');
}

bool cookie_domain_matches(std::string_view domain, std::string_view host) {
  if (host == domain)
    return true;
  return host.size() > domain.size() && host.ends_with(domain)
         && host[host.size() - domain.size() - 1] == '.' && !is_ip_address(host);
}

} // namespace troupe::detail
