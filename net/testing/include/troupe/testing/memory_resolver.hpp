#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <troupe/net/resolver.hpp>

namespace troupe::testing {

/// A resolver that knows what it was told, and asks nobody.
///
/// Source: twisted.internet.testing.MemoryReactor's name resolver
class memory_resolver final : public resolver {
public:
  /// Lets `host` have these addresses, in numbers.
  void add(std::string host, std::vector<std::string> addresses) {
    hosts_[std::move(host)] = std::move(addresses);
  }

  /// Lets lookups wait until `answer()`.
  void hold() { held_ = true; }

  /// Answers the lookups that wait.
  void answer() {
    held_ = false;
    for (auto& [host, port, p] : std::exchange(waiting_, {}))
      p.fire(look_up(host, port));
  }

  [[nodiscard]] std::size_t waiting() const noexcept { return waiting_.size(); }

  deferred<std::vector<net_address>> resolve(const std::string& host, std::uint16_t port) override {
    promise<std::vector<net_address>> p;
    auto result = p.get_deferred();
    if (held_)
      waiting_.push_back({host, port, std::move(p)});
    else
      p.fire(look_up(host, port));
    return result;
  }

private:
  struct lookup {
    std::string host;
    std::uint16_t port;
    promise<std::vector<net_address>> waiting;
  };

  outcome<std::vector<net_address>> look_up(const std::string& host, std::uint16_t port) const {
    const auto found = hosts_.find(host);
    if (found == hosts_.end())
      return failure{errc::unknown_host, host};
    std::vector<net_address> result;
    for (const auto& a : found->second)
      result.emplace_back(a.find(':') != std::string::npos ? net_address::kind::ipv6
                                                           : net_address::kind::ipv4,
                          a, port);
    return result;
  }

  std::map<std::string, std::vector<std::string>> hosts_;
  std::vector<lookup> waiting_;
  bool held_ = false;
};

} // namespace troupe::testing
