#include <troupe/irc/isupport.hpp>

#include <algorithm>
#include <charconv>

namespace troupe::irc {

namespace {

std::optional<std::size_t> to_number(std::string_view text) {
  std::size_t n = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (fault != std::errc{} || end != text.data() + text.size())
    return {};
  return n;
}

std::optional<std::string> unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      plain += text[i];
      continue;
    }
    unsigned byte = 0;
    if (text.size() - i < 4 || text[i + 1] != 'x')
      return {};
    const auto* const digits = text.data() + i + 2;
    const auto [end, fault] = std::from_chars(digits, digits + 2, byte, 16);
    if (fault != std::errc{} || end != digits + 2)
      return {};
    plain += static_cast<char>(byte);
    i += 3;
  }
  return plain;
}

bool is_key(std::string_view key) {
  return !key.empty()
         && key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-")
              == std::string_view::npos;
}

constexpr std::size_t most_keys = 500; // a server that says more is not believed

} // namespace

bool isupport::take(std::string_view token) {
  if (token.starts_with('-')) {
    const auto key = token.substr(1);
    if (const auto found = values_.find(key); found != values_.end())
      values_.erase(found);
    if (key == "PREFIX") {
      prefix_modes_ = "ov";
      prefix_signs_ = "@+";
    }
    return is_key(key);
  }
  const auto equals = token.find('=');
  const auto key = token.substr(0, equals);
  auto value = unescaped(equals == std::string_view::npos ? "" : token.substr(equals + 1));
  if (!is_key(key) || !value || (values_.size() >= most_keys && !values_.contains(key)))
    return false;
  if (key == "PREFIX" && !take_prefix(*value))
    return false;
  values_.insert_or_assign(std::string{key}, std::move(*value));
  return true;
}

bool isupport::take_prefix(std::string_view value) {
  if (value.empty()) { // no ranks at all
    prefix_modes_.clear();
    prefix_signs_.clear();
    return true;
  }
  const auto close = value.find(')');
  if (value.front() != '(' || close == std::string_view::npos)
    return false;
  const auto modes = value.substr(1, close - 1);
  const auto signs = value.substr(close + 1);
  if (modes.size() != signs.size())
    return false;
  prefix_modes_ = modes;
  prefix_signs_ = signs;
  return true;
}

std::optional<std::string_view> isupport::value(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end())
    return {};
  return found->second;
}

std::size_t isupport::number(std::string_view key, std::size_t otherwise) const {
  const auto text = value(key);
  return text ? to_number(*text).value_or(otherwise) : otherwise;
}

std::vector<isupport::limit> isupport::limits(std::string_view key) const {
  std::vector<limit> all;
  auto rest = value(key).value_or("");
  while (!rest.empty()) {
    const auto one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const auto colon = one.find(':');
    limit made{std::string{one.substr(0, colon)}, {}};
    if (colon != std::string_view::npos)
      made.most = to_number(one.substr(colon + 1));
    all.push_back(std::move(made));
  }
  return all;
}

std::string isupport::channel_types() const {
  return std::string{value("CHANTYPES").value_or("#&")};
}

case_mapping isupport::names() const {
  const auto how = value("CASEMAPPING").value_or("rfc1459");
  return how == "ascii"            ? case_mapping::ascii
         : how == "strict-rfc1459" ? case_mapping::strict_rfc1459
                                   : case_mapping::rfc1459;
}

bool isupport::is_channel(std::string_view name) const {
  return !name.empty() && channel_types().find(name.front()) != std::string::npos;
}

// CHANMODES has four lists: addresses, always with a parameter, with one when set, without.
bool isupport::has_parameter(char mode, bool set) const {
  if (prefix_modes_.find(mode) != std::string::npos)
    return true;
  auto rest = value("CHANMODES").value_or("");
  for (int kind = 0; kind < 3; ++kind) {
    const auto list = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), list.size() + 1));
    if (list.find(mode) != std::string_view::npos)
      return kind < 2 || set;
  }
  return false;
}

} // namespace troupe::irc
