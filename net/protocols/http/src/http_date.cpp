#include <troupe/http/http_date.hpp>

#include <array>
#include <cstdio>

namespace troupe {

namespace {

constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 7> long_days{"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                    "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Takes pieces of a date off its front; `good` tells whether all of them were there.
struct reader {
  std::string_view rest;
  bool good = true;

  void text(std::string_view expected) {
    good = good && rest.starts_with(expected);
    rest.remove_prefix(good ? expected.size() : 0);
  }
  int number(std::size_t digits) {
    int value = 0;
    good = good && rest.size() >= digits;
    for (std::size_t i = 0; good && i < digits; ++i) {
      good = rest[i] >= '0' && rest[i] <= '9';
      value = value * 10 + (rest[i] - '0');
    }
    rest.remove_prefix(good ? digits : 0);
    return value;
  }
  template <std::size_t N>
  int one_of(const std::array<std::string_view, N>& names) {
    for (std::size_t i = 0; good && i < N; ++i)
      if (rest.starts_with(names[i])) {
        rest.remove_prefix(names[i].size());
        return static_cast<int>(i);
      }
    good = false;
    return 0;
  }
  void time(std::tm& into) {
    into.tm_hour = number(2);
    text(":");
    into.tm_min = number(2);
    text(":");
    into.tm_sec = number(2);
    good = good && into.tm_hour < 24 && into.tm_min < 60 && into.tm_sec <= 60;
  }
};

} // namespace

std::string format_http_date(std::time_t at) {
  std::tm t{};
  ::gmtime_r(&at, &t);
  std::array<char, 64> text;
  const auto size = std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                                  days[static_cast<std::size_t>(t.tm_wday)].data(), t.tm_mday,
                                  months[static_cast<std::size_t>(t.tm_mon)].data(),
                                  t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) {
  std::tm t{};
  reader r{text};
  int year = 0;
  if (text.size() > 3 && text[3] == ',') { // Sun, 06 Nov 1994 08:49:37 GMT
    r.one_of(days);
    r.text(", ");
    t.tm_mday = r.number(2);
    r.text(" ");
    t.tm_mon = r.one_of(months);
    r.text(" ");
    year = r.number(4);
    r.text(" ");
    r.time(t);
    r.text(" GMT");
  } else if (text.find(',') != std::string_view::npos) { // Sunday, 06-Nov-94 08:49:37 GMT
    r.one_of(long_days);
    r.text(", ");
    t.tm_mday = r.number(2);
    r.text("-");
    t.tm_mon = r.one_of(months);
    r.text("-");
    std::tm present{};
    ::gmtime_r(&now, &present);
    const int this_year = present.tm_year + 1900;
    year = this_year / 100 * 100 + r.number(2);
    if (year > this_year + 50)
      year -= 100;
    r.text(" ");
    r.time(t);
    r.text(" GMT");
  } else { // Sun Nov  6 08:49:37 1994
    r.one_of(days);
    r.text(" ");
    t.tm_mon = r.one_of(months);
    r.text(" ");
    if (r.good && r.rest.starts_with(" ")) {
      r.text(" ");
      t.tm_mday = r.number(1);
    } else {
      t.tm_mday = r.number(2);
    }
    r.text(" ");
    r.time(t);
    r.text(" ");
    year = r.number(4);
  }
  if (!r.good || !r.rest.empty() || year < 1970 || t.tm_mday < 1 || t.tm_mday > 31)
    return {};
  t.tm_year = year - 1900;
  const int day = t.tm_mday;
  const auto at = ::timegm(&t);
  if (at < 0 || t.tm_mday != day) // there is no 30th of February
    return {};
  return at;
}

} // namespace troupe
