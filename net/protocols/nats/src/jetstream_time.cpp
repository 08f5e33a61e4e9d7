#include <troupe/nats/jetstream_types.hpp>

#include <charconv>
#include <chrono>

namespace troupe {

namespace {

template <class T>
bool take_number(std::string_view& from, T& into) {
  const auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), into);
  if (error != std::errc{})
    return false;
  from.remove_prefix(static_cast<std::size_t>(end - from.data()));
  return true;
}

bool take(std::string_view& from, char c) {
  if (!from.starts_with(c))
    return false;
  from.remove_prefix(1);
  return true;
}

} // namespace

std::optional<std::uint64_t> microseconds_of_time(std::string_view time) {
  using namespace std::chrono;
  int y = 0;
  unsigned mo = 0;
  unsigned d = 0;
  unsigned h = 0;
  unsigned mi = 0;
  unsigned s = 0;
  if (!take_number(time, y) || !take(time, '-') || !take_number(time, mo) || !take(time, '-')
      || !take_number(time, d) || !take(time, 'T') || !take_number(time, h) || !take(time, ':')
      || !take_number(time, mi) || !take(time, ':') || !take_number(time, s))
    return std::nullopt;
  const auto date = year_month_day{year{y}, month{mo}, day{d}};
  if (y < 1970 || y > 9999 || !date.ok() || h > 23 || mi > 59 || s > 60)
    return std::nullopt;
  std::uint64_t part = 0;
  if (take(time, '.')) {
    unsigned count = 0;
    for (; !time.empty() && time.front() >= '0' && time.front() <= '9'; time.remove_prefix(1))
      if (count < 6) {
        part = part * 10 + static_cast<unsigned>(time.front() - '0');
        ++count;
      }
    for (; count < 6; ++count)
      part *= 10;
  }
  if (time != "Z")
    return std::nullopt;
  const auto whole = sys_days{date}.time_since_epoch() + hours{h} + minutes{mi} + seconds{s};
  return static_cast<std::uint64_t>(duration_cast<microseconds>(whole).count()) + part;
}

} // namespace troupe
