#include <troupe/http/http_forwarded.hpp>

#include <algorithm>

#include <troupe/http/http_text.hpp>

namespace troupe {

namespace {

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
    if (!is_ip_address(hops.back()))
      break;
    client = hops.back();
    hops.pop_back();
  }
  return client;
}

} // namespace troupe
