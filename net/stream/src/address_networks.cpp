#include <troupe/net/address_networks.hpp>

#include <charconv>
#include <optional>
#include <stdexcept>

#include <arpa/inet.h>

namespace troupe {

namespace {

// Returns 16 bytes, of IPv4 those of the mapped address.
std::optional<std::string> ip_bytes_of(std::string_view address) {
  const std::string text{address.substr(0, address.find('%'))};
  in6_addr six{};
  if (text.find('\0') != std::string::npos)
    return {};
  if (::inet_pton(AF_INET6, text.c_str(), &six) == 1)
    return std::string{reinterpret_cast<const char*>(&six), sizeof six};
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) != 1)
    return {};
  std::string bytes(10, '\0');
  bytes += "\xff\xff";
  return bytes.append(reinterpret_cast<const char*>(&four), sizeof four);
}

} // namespace

bool is_ip_address(std::string_view text) {
  return ip_bytes_of(text).has_value();
}

address_networks::address_networks(const std::vector<std::string>& networks) {
  for (const auto& text : networks) {
    const auto slash = text.find('/');
    const auto bytes = ip_bytes_of(std::string_view{text}.substr(0, slash));
    int bits = 128;
    bool good = bytes.has_value();
    if (good && slash != std::string::npos) {
      const auto* const end = text.data() + text.size();
      const auto read = std::from_chars(text.data() + slash + 1, end, bits);
      const bool four = text.find(':') == std::string::npos;
      good = read.ec == std::errc{} && read.ptr == end && bits >= 0 && bits <= (four ? 32 : 128);
      bits += four ? 96 : 0;
    }
    if (!good)
      throw std::invalid_argument("no address in numbers, and no network: \"" + text + '"');
    networks_.push_back({*bytes, bits});
  }
}

bool address_networks::has(std::string_view address) const {
  if (networks_.empty())
    return false;
  const auto bytes = ip_bytes_of(address);
  if (!bytes)
    return false;
  for (const auto& [of, bits] : networks_) {
    const auto whole = static_cast<std::size_t>(bits / 8);
    const int mask = 0xff00 >> bits % 8 & 0xff;
    if (bytes->compare(0, whole, of, 0, whole) == 0
        && (mask == 0 || ((of[whole] ^ (*bytes)[whole]) & mask) == 0))
      return true;
  }
  return false;
}

} // namespace troupe
