#include <troupe/http/http_response.hpp>

#include <algorithm>
#include <stdexcept>

#include <troupe/http/http_text.hpp>

namespace troupe {

using namespace std::string_view_literals; // whose lengths are known

http_response::http_response(int status, std::string text, std::string_view content_type)
  : status_(status), body_(std::move(text)) {
  if (content_type == plain_text) // as most are: this need not be checked each time
    fields_ = std::string{"Content-Type: text/plain; charset=utf-8\r\n"sv};
  else
    type(content_type);
}

http_response http_response::redirect(std::string_view location, int status) {
  for (const char c : location)
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      throw std::invalid_argument("redirect: the location has a byte that a URL cannot have");
  http_response r{status, "See " + html_escape(location) + "\n", "text/html; charset=utf-8"};
  r.set("Location", location);
  return r;
}

http_response http_response::upgrade(std::string_view protocol,
                                     std::unique_ptr<http_upgraded> next) {
  if (!is_http_field_value(protocol))
    throw std::invalid_argument("upgrade: the protocol's name has a control character");
  http_response r{101};
  if (!protocol.empty())
    (r.fields_ += "Upgrade: ").append(protocol) += "\r\n";
  r.upgraded_ = std::move(next);
  return r;
}

void http_response::check(std::string_view name, std::string_view value) {
  if (!is_http_token(name))
    throw std::invalid_argument("the name of a field is no token: \"" + std::string{name} + '"');
  if (!is_http_field_value(value))
    throw std::invalid_argument("the field " + std::string{name} + " has a control character");
  static constexpr std::string_view written[]{"Content-Length", "Transfer-Encoding", "Connection",
                                              "Upgrade", "Date"};
  for (const auto ours : written)
    if (name.size() == ours.size() && equal_without_case(name, ours))
      throw std::invalid_argument("the server writes the field " + std::string{name});
}

http_response& http_response::add(std::string_view name, std::string_view value) & {
  check(name, value);
  fields_.reserve(fields_.size() + name.size() + value.size() + 4);
  (((fields_ += name) += ": "sv) += value) += "\r\n"sv;
  return *this;
}

http_response& http_response::set(std::string_view name, std::string_view value) & {
  if (!fields_.empty())
    remove(name);
  return add(name, value);
}

http_response& http_response::add_to_list(std::string_view name, std::string_view element) & {
  const auto before = field(name);
  if (!before)
    return add(name, element);
  if (http_list_has(*before, element) || http_list_has(*before, "*"))
    return *this;
  return set(name, std::string{*before} + ", " + std::string{element});
}

// Returns where the line of a field begins and ends; an end of 0 says that there is none.
std::pair<std::size_t, std::size_t> http_response::line_of(std::string_view name) const noexcept {
  for (std::size_t at = 0; at < fields_.size();) {
    const auto end = fields_.find('\n', at) + 1;
    if (fields_[at + std::min(name.size(), end - at - 1)] == ':'
        && equal_without_case(std::string_view{fields_}.substr(at, name.size()), name))
      return {at, end};
    at = end;
  }
  return {0, 0};
}

void http_response::remove(std::string_view name) {
  for (auto line = line_of(name); line.second != 0; line = line_of(name))
    fields_.erase(line.first, line.second - line.first);
}

std::optional<std::string_view> http_response::field(std::string_view name) const noexcept {
  const auto [at, end] = line_of(name);
  if (end == 0)
    return {};
  return trim_http(
    std::string_view{fields_}.substr(at + name.size() + 1, end - at - name.size() - 3));
}

} // namespace troupe
