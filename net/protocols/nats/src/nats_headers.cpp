#include <troupe/nats/nats_headers.hpp>

#include <algorithm>
#include <stdexcept>

#include "nats_text.hpp"

namespace troupe {

namespace {

constexpr std::string_view first_line = "NATS/1.0";

bool valid_field_name(std::string_view name) noexcept {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != ':';
  });
}

bool valid_value(std::string_view value) noexcept {
  return value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
}

// Takes a line off `text`; nothing if it has no end.
std::optional<std::string_view> take_line(std::string_view& text) noexcept {
  const auto end = text.find('\n');
  if (end == std::string_view::npos)
    return std::nullopt;
  auto line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r'))
    line.remove_suffix(1);
  return line;
}

failure malformed(const char* what) {
  return {errc::malformed_input, std::string{"headers: "} + what};
}

} // namespace

nats_headers::nats_headers(std::initializer_list<entry> entries) {
  for (const auto& [name, value] : entries)
    add(name, value);
}

void nats_headers::add(std::string_view name, std::string_view value) {
  if (!valid_field_name(name))
    throw std::invalid_argument("nats_headers: this cannot be a name");
  if (!valid_value(value))
    throw std::invalid_argument("nats_headers: the value of " + std::string{name}
                                + " has an end of a line or a NUL");
  entries_.emplace_back(name, detail::trimmed(value));
}

void nats_headers::set(std::string_view name, std::string_view value) {
  nats_headers one;
  one.add(name, value); // throws before anything changes
  erase(name);
  entries_.push_back(std::move(one.entries_.front()));
}

std::optional<std::string_view> nats_headers::get(std::string_view name) const noexcept {
  for (const auto& [key, value] : entries_)
    if (key == name)
      return value;
  return std::nullopt;
}

std::vector<std::string_view> nats_headers::get_all(std::string_view name) const {
  std::vector<std::string_view> found;
  for (const auto& [key, value] : entries_)
    if (key == name)
      found.push_back(value);
  return found;
}

void nats_headers::erase(std::string_view name) {
  std::erase_if(entries_, [name](const entry& e) { return e.first == name; });
}

std::string nats_headers::block() const {
  std::string out{first_line};
  if (status_ != 0) {
    out += ' ' + std::to_string(status_);
    if (!description_.empty())
      out += ' ' + description_;
  }
  out += "\r\n";
  for (const auto& [name, value] : entries_) {
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  out += "\r\n";
  return out;
}

outcome<nats_headers> nats_headers::parse(std::string_view block) {
  const auto status = nats_status(block);
  auto line = take_line(block);
  if (!line || !line->starts_with(first_line))
    return malformed("they do not begin with NATS/1.0");
  auto rest = line->substr(first_line.size());
  if (!rest.empty() && rest.front() != ' ')
    return malformed("they do not begin with NATS/1.0");
  if (!valid_value(rest))
    return malformed("a control character in the first line");
  nats_headers result;
  rest = detail::trimmed(rest);
  if (!rest.empty()) {
    if (status == 0)
      return malformed("the status is no number of three digits");
    result.status_ = status;
    result.description_ = detail::trimmed(rest.substr(3));
  }
  for (;;) {
    line = take_line(block);
    if (!line)
      return malformed("the empty line at their end is missing");
    if (line->empty())
      break;
    const auto colon = line->find(':');
    if (colon == std::string_view::npos)
      return malformed("a line without a colon");
    const auto name = line->substr(0, colon);
    const auto value = detail::trimmed(line->substr(colon + 1));
    if (!valid_field_name(name))
      return malformed("what cannot be a name");
    if (!valid_value(value))
      return malformed("a control character in a value");
    result.entries_.emplace_back(name, value);
  }
  if (!block.empty())
    return malformed("something behind their end");
  return result;
}

std::uint16_t nats_status(std::string_view block) noexcept {
  if (!block.starts_with(first_line))
    return 0;
  block.remove_prefix(first_line.size());
  if (!block.starts_with(' '))
    return 0;
  block.remove_prefix(std::min(block.find_first_not_of(' '), block.size()));
  std::uint16_t number = 0;
  std::size_t digits = 0;
  while (digits < block.size() && block[digits] >= '0' && block[digits] <= '9' && digits < 4)
    number = static_cast<std::uint16_t>(number * 10 + (block[digits++] - '0'));
  const bool ends = digits == block.size() || block[digits] == ' ' || block[digits] == '\r'
                    || block[digits] == '\n' || block[digits] == '\t';
  return digits == 3 && number >= 100 && ends ? number : 0;
}

std::optional<std::string_view> nats_header(std::string_view block,
                                            std::string_view name) noexcept {
  if (!take_line(block))
    return std::nullopt;
  for (auto line = take_line(block); line && !line->empty(); line = take_line(block))
    if (line->size() > name.size() && (*line)[name.size()] == ':' && line->starts_with(name))
      return detail::trimmed(line->substr(name.size() + 1));
  return std::nullopt;
}

} // namespace troupe
