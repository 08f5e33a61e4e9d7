#include <troupe/manhole/commands.hpp>

#include <algorithm>
#include <charconv>
#include <numeric>
#include <stdexcept>

#include <troupe/net/printable.hpp>

#include "process_commands.hpp"

namespace troupe {

namespace {

// How many letters differ, are missing or too much. Source: Levenshtein
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto changed = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({changed, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

} // namespace

void manhole_call::expect_changes() const {
  if (!may_change)
    throw std::runtime_error("this manhole is only for looking");
}

const std::string& manhole_call::argument(std::size_t n, std::string_view name) const {
  if (n >= arguments.size())
    throw std::invalid_argument("which " + std::string{name} + "?");
  return arguments[n];
}

std::uint64_t manhole_call::number(std::size_t n, std::string_view name) const {
  const auto& text = argument(n, name);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::invalid_argument(std::string{name} + " is a number, not " + quoted_text(text, 40));
  return value;
}

manhole_commands::manhole_commands() {
  detail::add_process_commands(*this);
}

void manhole_commands::add_function(const std::string& name, command c) {
  if (!is_name(name))
    throw std::invalid_argument(
      "manhole_commands::add: the name of a command has letters, digits and -");
  if (!commands_.emplace(name, std::move(c)).second)
    throw std::invalid_argument("manhole_commands::add: there is a command " + name);
}

const manhole_commands::command* manhole_commands::find(std::string_view name) const {
  const auto found = commands_.find(name);
  return found == commands_.end() ? nullptr : &found->second;
}

std::vector<std::string> manhole_commands::nearest(std::string_view name) const {
  name = name.substr(0, 40);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const auto& [known, command] : commands_) {
    const auto d = known.starts_with(name) ? 0 : distance(name, known);
    if (d <= std::max<std::size_t>(1, known.size() / 2))
      near.emplace_back(d, known);
  }
  std::sort(near.begin(), near.end());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < std::min<std::size_t>(near.size(), 3); ++i)
    names.push_back(near[i].second);
  return names;
}

} // namespace troupe
