#include <troupe/http/http_form.hpp>

#include <algorithm>

#include <troupe/http/http_status.hpp>
#include <troupe/http/http_text.hpp>

namespace troupe {

http_arguments http_arguments::parse(std::string_view text, std::size_t limit) {
  http_arguments made;
  while (!text.empty()) {
    const auto one = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    if (one.empty())
      continue;
    if (made.all_.size() == limit)
      throw http_error{400, "There are too many arguments."};
    const auto name = one.substr(0, one.find('='));
    auto key = percent_decode(name, true);
    auto value = percent_decode(one.substr(std::min(one.size(), name.size() + 1)), true);
    if (!key || !value)
      throw http_error{400, "An argument cannot be decoded."};
    made.all_.emplace_back(*std::move(key), *std::move(value));
  }
  return made;
}

std::optional<std::string_view> http_arguments::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : all_)
    if (key == name)
      return value;
  return {};
}

http_arguments query_arguments(const http_request& r) {
  return http_arguments::parse(r.query());
}

deferred<http_arguments> read_form(const http_request& r, std::size_t limit) {
  const auto type = r.field("Content-Type").value_or(std::string_view{});
  if (!equal_without_case(trim_http(type.substr(0, type.find(';'))),
                          "application/x-www-form-urlencoded"))
    return fail<http_arguments>(http_error{415, "This takes a form."});
  return r.read_all(limit).add_callback(
    [](std::string body) { return http_arguments::parse(body); });
}

} // namespace troupe
