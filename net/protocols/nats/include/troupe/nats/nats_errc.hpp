#pragma once

#include <cstdint>
#include <string_view>
#include <system_error>

namespace troupe {

/// Names what went wrong between a client and a NATS server, beyond the names of `errc`, each with how to
/// react. A category of `std::error_code` ("nats"), so that a `failure` can have it.
enum class nats_errc : std::uint8_t {
  /// Nothing is wrong.
  none = 0,
  /// Nobody serves that subject at the moment. Retry later, or do without.
  no_responders = 1,
  /// The server does not accept who we are. Check the credentials.
  authorization_violation = 2,
  /// We may not publish or subscribe to that subject. Check the subject, or the user's permissions.
  permissions_violation = 3,
  /// The server complains, and ends the connection; the message has its text. It is made again.
  server_error = 4,
  /// The server has said nothing for too long, or never answers a PING. The connection is made again.
  stale_connection = 5,
  /// Messages came faster than they were taken, and some were dropped. Take them faster, or raise the limits.
  slow_consumer = 6,
  /// The server does not know headers. Do without, or take a newer server.
  headers_not_supported = 7,

  /// JetStream is not there: not enabled, or not for this account, or its leader is away. Retry later.
  jetstream_unavailable = 20,
  /// JetStream refuses; the message has its text and number. Read them.
  jetstream_error = 21,
  /// There is no such stream. Create it, or check its name.
  stream_not_found = 22,
  /// There is no such consumer. Create it, or check its name.
  consumer_not_found = 23,
  /// The stream has no such message, or no longer. Go on with the next.
  message_not_found = 24,
  /// The stream's last sequence is not the one that was expected, so nothing was stored. Read again, and
  /// decide anew.
  wrong_last_sequence = 25,
  /// A stream of that name, with another configuration, is there already. Choose another name, or update it.
  stream_exists = 26,
  /// A message with this id is just being stored, so this one was not. Ask again, with the same id.
  id_in_process = 27,
};

/// Returns the enumerator's own name, such as "no_responders"; "unknown" for a number without one.
[[nodiscard]] std::string_view name(nats_errc code) noexcept;

/// The category of `nats_errc`; its name is "nats".
[[nodiscard]] const std::error_category& nats_category() noexcept;

[[nodiscard]] std::error_code make_error_code(nats_errc code) noexcept;

} // namespace troupe

template <>
struct std::is_error_code_enum<troupe::nats_errc> : std::true_type {};
