#include <troupe/nats/nats_errc.hpp>

#include <troupe/runtime/detail/error_table.hpp>

namespace troupe {

namespace {

constexpr detail::error_entry<nats_errc> entries[] = {
  {nats_errc::none, "none", "no error"},
  {nats_errc::no_responders, "no_responders", "nobody serves this subject"},
  {nats_errc::authorization_violation, "authorization_violation",
   "the server does not accept these credentials"},
  {nats_errc::permissions_violation, "permissions_violation",
   "the server does not permit this subject"},
  {nats_errc::server_error, "server_error", "the server complains"},
  {nats_errc::stale_connection, "stale_connection", "the server does not answer"},
  {nats_errc::slow_consumer, "slow_consumer", "messages came faster than they were taken"},
  {nats_errc::headers_not_supported, "headers_not_supported", "the server does not know headers"},
  {nats_errc::jetstream_unavailable, "jetstream_unavailable", "JetStream is not available"},
  {nats_errc::jetstream_error, "jetstream_error", "JetStream refuses"},
  {nats_errc::stream_not_found, "stream_not_found", "there is no such stream"},
  {nats_errc::consumer_not_found, "consumer_not_found", "there is no such consumer"},
  {nats_errc::message_not_found, "message_not_found", "there is no such message"},
  {nats_errc::wrong_last_sequence, "wrong_last_sequence", "the stream has gone on meanwhile"},
  {nats_errc::stream_exists, "stream_exists", "a stream of this name has another configuration"},
  {nats_errc::id_in_process, "id_in_process", "a message with this id is just being stored"},
};

} // namespace

std::string_view name(nats_errc code) noexcept {
  return detail::error_name(entries, code);
}

const std::error_category& nats_category() noexcept {
  static const detail::error_table_category instance{"nats", entries};
  return instance;
}

std::error_code make_error_code(nats_errc code) noexcept {
  return {static_cast<int>(code), nats_category()};
}

} // namespace troupe
