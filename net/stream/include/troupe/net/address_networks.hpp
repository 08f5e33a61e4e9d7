#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// A set of IP addresses, given as single ones and as networks: which hosts are trusted, or let in.
///
/// ```cpp
/// const troupe::address_networks inside{{"10.0.0.0/8", "fd00::/8", "192.0.2.7"}};
/// if (inside.has(peer.host()))
///   ...
/// ```
///
/// Thread: any; it does not change.
class address_networks {
public:
  /// Is empty: nobody is in it.
  address_networks() = default;

  /// \param networks  addresses, or networks such as "10.0.0.0/8" and "fd00::/8"; what is set behind
  ///                  a network's bits does not matter
  /// \throws std::invalid_argument if one is none; it names that
  explicit address_networks(const std::vector<std::string>& networks);

  /// Tells whether `address` is in the set; what is no IP address is not. An IPv4 address is the same
  /// in either writing ("192.0.2.7", "::ffff:192.0.2.7"), and a scope (`%eth0`) is not looked at.
  [[nodiscard]] bool has(std::string_view address) const;

  [[nodiscard]] bool empty() const noexcept { return networks_.empty(); }

private:
  struct network {
    std::string bytes; // 16, IPv4 mapped
    int bits;
  };
  std::vector<network> networks_;
};

/// Tells whether `text` is an IP address in numbers.
[[nodiscard]] bool is_ip_address(std::string_view text);

} // namespace troupe
