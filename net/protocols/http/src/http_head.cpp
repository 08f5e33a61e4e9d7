#include <troupe/http/http_head.hpp>

#include <algorithm>

#include <troupe/http/http_text.hpp>

namespace troupe {

bool http_fields::has_name(std::size_t i, std::string_view name) const noexcept {
  return places_[i].name_size == name.size() && equal_without_case(this->name(i), name);
}

std::optional<std::string_view> http_fields::find(std::string_view name) const noexcept {
  for (std::size_t i = 0; i < size(); ++i)
    if (has_name(i, name))
      return value(i);
  return {};
}

std::string http_fields::joined(std::string_view name) const {
  std::string all;
  bool first = true;
  each(name, [&](std::string_view value) {
    if (!std::exchange(first, false))
      all += ", ";
    all += value;
  });
  return all;
}

// Returns the authority of an absolute target, and what is behind it.
std::pair<std::string_view, std::string_view> http_request_head::split_target() const noexcept {
  const auto whole = target();
  if (whole.empty() || whole.front() == '/')
    return {{}, whole};
  const auto scheme = whole.find("://");
  if (scheme == std::string_view::npos)
    return {{}, whole};
  const auto rest = whole.substr(scheme + 3);
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  return {rest.substr(0, end), rest.substr(end)};
}

std::string_view http_request_head::path() const noexcept {
  auto rest = split_target().second;
  rest = rest.substr(0, rest.find('?'));
  return rest.empty() ? std::string_view{"/"} : rest;
}

std::string_view http_request_head::query() const noexcept {
  const auto whole = target();
  const auto at = whole.find('?');
  return at == std::string_view::npos ? std::string_view{} : whole.substr(at + 1);
}

std::string_view http_request_head::host() const noexcept {
  const auto authority = split_target().first;
  return authority.empty() ? field("Host").value_or(std::string_view{}) : authority;
}

} // namespace troupe
