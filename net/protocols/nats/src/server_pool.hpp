#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <troupe/nats/nats_options.hpp>
#include <troupe/nats/nats_url.hpp>

namespace troupe::detail {

/// The servers that a connection may go to, taken in turn.
class server_pool {
public:
  /// How many are remembered that only servers told of.
  static constexpr std::size_t most_discovered = 64;

  /// \throws std::invalid_argument if there is none, or one is no URL
  server_pool(const std::vector<std::string>& urls, bool shuffled);

  /// Makes the next one the present one.
  const nats_url& take();

  /// Returns the present one: where the connection is, or the latest attempt was.
  [[nodiscard]] const nats_url& present() const noexcept { return present_; }

  [[nodiscard]] std::size_t size() const noexcept { return all_.size(); }
  [[nodiscard]] std::vector<std::string> names() const;

  /// Learns what the present server told of others of its cluster ("host:port"), and forgets those that it does not
  /// name any more. What is no address is passed over.
  ///
  /// \returns the names of those that are new
  std::vector<std::string> learn(const std::vector<std::string>& urls);

private:
  struct server {
    nats_url url;
    bool discovered;
  };

  std::vector<server> all_;
  std::size_t next_ = 0;
  nats_url present_;
};

} // namespace troupe::detail
