#include <troupe/runtime/detail/base64.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace troupe::detail {

namespace {

constexpr std::string_view digits =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view digits_of_url =
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t none = 64;

constexpr auto values = [] {
  std::array<std::uint8_t, 256> all{};
  all.fill(none);
  for (std::size_t i = 0; i < digits.size(); ++i)
    all[static_cast<unsigned char>(digits[i])] = static_cast<std::uint8_t>(i);
  return all;
}();

std::string encoded(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (count += 8; count >= 6; count -= 6)
      text += alphabet[bits >> (count - 6) & 63];
  }
  if (count > 0)
    text += alphabet[bits << (6 - count) & 63];
  return text;
}

} // namespace

std::string to_base64(std::string_view bytes) {
  auto text = encoded(bytes, digits);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string to_base64_url(std::string_view bytes) {
  return encoded(bytes, digits_of_url);
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0)
    return {};
  for (int i = 0; i < 2 && text.ends_with('='); ++i)
    text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = values[static_cast<unsigned char>(c)];
    if (value == none)
      return {};
    bits = bits << 6 | value;
    if ((count += 6) >= 8) {
      count -= 8;
      bytes += static_cast<char>(bits >> count & 0xff);
    }
  }
  if ((bits & ((1u << count) - 1)) != 0) // bits of no byte: another text stands for the same
    return {};
  return bytes;
}

} // namespace troupe::detail
