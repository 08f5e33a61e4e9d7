#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/http_head.hpp>
#include <troupe/net/address_networks.hpp>

namespace troupe {

/// The proxies whose word is taken for where a request comes from.
///
/// Thread: any; it does not change.
class trusted_proxies {
public:
  /// \param networks  addresses, or networks such as "10.0.0.0/8" and "fd00::/8"
  /// \throws std::invalid_argument if one is none
  explicit trusted_proxies(const std::vector<std::string>& networks) : networks_(networks) {}

  [[nodiscard]] bool has(std::string_view address) const { return networks_.has(address); }

  /// Returns the address of the client: that of `peer`, unless it is a trusted proxy; then the one
  /// nearest to us, in the field Forwarded or else X-Forwarded-For, that is not one. What is further
  /// away may have been made up. Where such a proxy names nobody, or no address, that proxy.
  ///
  /// Source: RFC 7239, 5.2
  [[nodiscard]] std::string client_of(std::string_view peer, const http_fields& fields) const;

private:
  address_networks networks_;
};

} // namespace troupe
