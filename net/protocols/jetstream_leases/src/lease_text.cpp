#include "lease_text.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace troupe::detail {

namespace {

constexpr std::string_view begins = "lease 1 ";

} // namespace

std::string lease_text(const lease_record& record) {
  const auto ttl = std::chrono::ceil<std::chrono::milliseconds>(record.ttl).count();
  auto text = std::string{begins} + std::to_string(ttl);
  if (!record.holder.empty())
    text += ' ' + record.holder;
  return text;
}

std::optional<lease_record> lease_of_text(std::string_view text) {
  if (text.size() > 1024 || !text.starts_with(begins))
    return std::nullopt;
  text.remove_prefix(begins.size());
  std::uint32_t ttl = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ttl);
  if (error != std::errc{} || ttl > 86'400'000)
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  lease_record record;
  record.ttl = std::chrono::milliseconds(ttl);
  if (text.empty())
    return record;
  if (text.front() != ' ' || text.size() == 1)
    return std::nullopt;
  record.holder = text.substr(1);
  return record;
}

std::string lease_token(std::string_view name) {
  static constexpr char digits[] = "0123456789ABCDEF";
  std::string token;
  for (const char c : name)
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
        || c == '_')
      token += c;
    else
      (token += '%').append({digits[static_cast<unsigned char>(c) >> 4], digits[c & 15]});
  return token;
}

} // namespace troupe::detail
