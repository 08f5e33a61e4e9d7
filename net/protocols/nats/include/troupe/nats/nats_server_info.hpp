#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/runtime/outcome.hpp>

namespace troupe {

/// What a server says of itself.
struct nats_server_info {
  std::string server_id{};
  std::string server_name{};
  std::string version{};
  std::string cluster{};
  std::string nonce{};                     ///< to be signed by who has a key
  std::vector<std::string> connect_urls{}; ///< other servers of its cluster, as "host:port"
  std::uint64_t client_id = 0;
  std::size_t max_payload = std::size_t{1024} * 1024;
  bool headers = false;
  bool jetstream = false;
  bool auth_required = false;
  bool tls_required = false;
  bool tls_available = false;
  bool lame_duck = false; ///< it is about to end, and wants its clients to go elsewhere

  /// Reads the JSON of an INFO. What is unknown is passed over; of `connect_urls`, 256 at most are kept.
  ///
  /// Fails with: `errc::malformed_input`, if it is no JSON object, or a member is of another kind
  [[nodiscard]] static outcome<nats_server_info> parse(std::string_view json);
};

} // namespace troupe
