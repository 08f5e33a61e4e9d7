#include "file_conditions.hpp"

#include <troupe/http/http_date.hpp>
#include <troupe/http/http_text.hpp>

namespace troupe::detail {

namespace {

std::string_view without_weakness(std::string_view tag) {
  return tag.starts_with("W/") ? tag.substr(2) : tag;
}

// Tells whether one of the fields' tags is this one, or "*".
bool has_tag(const http_request_head& head, std::string_view name, std::string_view tag,
             bool weak) {
  bool found = false;
  head.fields().each(name, [&](std::string_view list) {
    for (std::string_view one; next_http_element(list, one);)
      found = found || one == "*" || one == tag || (weak && without_weakness(one) == tag);
  });
  return found;
}

} // namespace

int check_conditions(const http_request_head& head, std::string_view tag, std::time_t changed,
                     std::time_t now) {
  if (head.field("If-Match")) {
    if (!has_tag(head, "If-Match", tag, false))
      return 412;
  } else if (const auto since = head.field("If-Unmodified-Since")) {
    if (const auto at = parse_http_date(*since, now); at && changed > *at)
      return 412;
  }
  if (head.field("If-None-Match"))
    return has_tag(head, "If-None-Match", tag, true) ? 304 : 200;
  if (const auto since = head.field("If-Modified-Since")) {
    const auto date = trim_http(since->substr(0, since->find(';')));
    if (const auto at = parse_http_date(date, now); at && changed <= *at)
      return 304;
  }
  return 200;
}

bool range_applies(const http_request_head& head, std::string_view tag, std::time_t changed,
                   std::time_t now) {
  const auto condition = head.field("If-Range");
  if (!condition)
    return true;
  if (condition->starts_with('"') || condition->starts_with("W/"))
    return *condition == tag;
  const auto at = parse_http_date(*condition, now);
  return at && *at == changed;
}

} // namespace troupe::detail
