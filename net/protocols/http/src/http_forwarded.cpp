#include <troupe/http/http_forwarded.hpp>

#include <algorithm>
#include <charconv>
#include <optional>
#include <stdexcept>

#include <arpa/inet.h>

#include <troupe/http/http_text.hpp>

namespace troupe {

namespace {

// Returns 16 bytes, of IPv4 those of the mapped address.
std::optional<std::string> bytes_of(std::string_view address) {
  const std::string text{address.substr(0, address.find('%'))};
  in6_addr six{};
  if (::inet_pton(AF_INET6, text.c_str(), &six) == 1)
    return std::string{reinterpret_cast<const char*>(&six), sizeof six};
  in_addr four{};
  if (::inet_pton(AF_INET, text.c_str(), &four) != 1)
    return {};
  std::string bytes(10, '\0');
  bytes += "\xff\xff";
  return bytes.append(reinterpret_cast<const char*>(&four), sizeof four);
}

// Returns the address of a node: "192.0.2.1:80", "[2001:db8::1]:80", or without a port.
std::string_view without_port(std::string_view node) {
  if (node.size() > 1 && node.front() == '"' && node.back() == '"')
    node = node.substr(1, node.size() - 2);
  if (node.starts_with('['))
    return node.substr(1, node.find(']') - 1);
  const auto colon = node.find(':');
  return colon != std::string_view::npos && node.find(':', colon + 1) == std::string_view::npos
           ? node.substr(0, colon)
           : node;
}

// Returns what Forwarded says a hop's request came from.
std::string_view forwarded_for(std::string_view element) {
  while (!element.empty()) {
    auto pair = element.substr(0, element.find(';'));
    element.remove_prefix(std::min(element.size(), pair.size() + 1));
    pair = trim_http(pair);
    if (pair.size() > 4 && equal_without_case(pair.substr(0, 4), "for="))
      return pair.substr(4);
  }
  return {};
}

} // namespace

trusted_proxies::trusted_proxies(const std::vector<std::string>& networks) {
  for (const auto& text : networks) {
    const auto slash = text.find('/');
    const auto bytes = bytes_of(std::string_view{text}.substr(0, slash));
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
      throw std::invalid_argument("trusted_proxies: no address or network: " + text);
    networks_.push_back({*bytes, bits});
  }
}

bool trusted_proxies::has(std::string_view address) const {
  const auto bytes = bytes_of(address);
  if (!bytes)
    return false;
  for (const auto& [of, bits] : networks_) {
    bool inside = true;
    for (int bit = 0; inside && bit < bits; ++bit) {
      const auto mask = 0x80 >> bit % 8;
      const auto at = static_cast<std::size_t>(bit / 8);
      inside = ((of[at] ^ (*bytes)[at]) & mask) == 0;
    }
    if (inside)
      return true;
  }
  return false;
}

std::string trusted_proxies::client_of(std::string_view peer, const http_fields& fields) const {
  std::string client{peer};
  if (!has(client))
    return client;
  const bool standard = fields.find("Forwarded").has_value();
  const auto list = fields.joined(standard ? "Forwarded" : "X-Forwarded-For");
  std::vector<std::string_view> hops;
  std::string_view rest = list;
  for (std::string_view element; next_http_element(rest, element);)
    hops.push_back(without_port(standard ? forwarded_for(element) : element));
  while (!hops.empty() && has(client)) {
    if (!bytes_of(hops.back()))
      break;
    client = hops.back();
    hops.pop_back();
  }
  return client;
}

} // namespace troupe
