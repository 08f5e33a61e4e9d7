#include "endpoint_arguments.hpp"

#include <algorithm>
#include <charconv>

namespace troupe::detail {

namespace {

std::string joined(const std::vector<std::string_view>& names) {
  std::string all;
  for (const auto n : names)
    all += (all.empty() ? "" : ", ") + std::string(n);
  return all;
}

} // namespace

endpoint_arguments::endpoint_arguments(const endpoint_description& d,
                                       std::vector<std::string_view> names,
                                       const std::vector<std::string_view>& keywords)
  : of_(d), names_(std::move(names)) {
  const auto in_order = names_.size();
  names_.insert(names_.end(), keywords.begin(), keywords.end());
  values_.resize(names_.size());
  for (const auto& a : d.arguments) {
    if (!a.keyword)
      continue;
    const auto at = std::find(names_.begin(), names_.end(), *a.keyword);
    if (at == names_.end())
      throw endpoint_syntax_error(d.text, a.position,
                                  d.kind + " does not take \"" + *a.keyword + "\"; it takes "
                                    + joined(names_));
    values_[static_cast<std::size_t>(at - names_.begin())] = &a;
  }
  // Where it goes is named first ("host"), the rest may follow.
  std::size_t next = !values_.empty() && values_[0] != nullptr && names_[0] != "port" ? 1 : 0;
  for (const auto& a : d.arguments) {
    if (a.keyword)
      continue;
    if (next == in_order)
      throw endpoint_syntax_error(d.text, a.position,
                                  "too many arguments: " + d.kind + " takes " + joined(names_));
    if (values_[next] != nullptr)
      throw endpoint_syntax_error(d.text, std::max(a.position, values_[next]->position),
                                  '"' + std::string(names_[next])
                                    + "\" is there twice, with and without its keyword");
    values_[next++] = &a;
  }
}

const endpoint_arguments::argument* endpoint_arguments::find(std::string_view name) const {
  const auto at = std::find(names_.begin(), names_.end(), name);
  return at == names_.end() ? nullptr : values_[static_cast<std::size_t>(at - names_.begin())];
}

const endpoint_arguments::argument& endpoint_arguments::require(std::string_view name) const {
  if (const auto* a = find(name))
    return *a;
  throw endpoint_syntax_error(of_.text, of_.text.size(),
                              of_.kind + " needs \"" + std::string(name) + "\"; it takes "
                                + joined(names_));
}

void endpoint_arguments::refuse(std::string_view name, const std::string& expected) const {
  const auto& a = require(name);
  throw endpoint_syntax_error(of_.text, a.value_position,
                              '"' + std::string(name) + "\" is " + expected + ", and not \""
                                + a.value + '"');
}

const std::string& endpoint_arguments::text(std::string_view name) const {
  const auto& value = require(name).value;
  if (value.empty() || value.find('\0') != std::string::npos)
    refuse(name, "a text that is not empty");
  return value;
}

std::uint32_t endpoint_arguments::number(std::string_view name, std::uint32_t min,
                                         std::uint32_t max, int base) const {
  const auto& value = require(name).value;
  const auto* const end = value.data() + value.size();
  std::uint32_t result = 0;
  const auto [stop, error] = std::from_chars(value.data(), end, result, base);
  if (error != std::errc{} || stop != end || result < min || result > max) {
    const auto shown = [base](std::uint32_t n) {
      char digits[16];
      return std::string(digits, std::to_chars(digits, digits + sizeof digits, n, base).ptr);
    };
    refuse(name, "a number from " + shown(min) + " to " + shown(max)
                   + (base == 8 ? " in octal digits" : ""));
  }
  return result;
}

bool endpoint_arguments::flag(std::string_view name) const {
  return number(name, 0, 1) == 1;
}

std::uint16_t endpoint_arguments::port() const {
  return static_cast<std::uint16_t>(number("port", 0, 65535));
}

} // namespace troupe::detail
