#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <troupe/nats/jetstream_types.hpp>
#include <troupe/runtime/outcome.hpp>

namespace troupe::detail::jetstream_json {

std::string text_of(const stream_config& config);
std::string text_of(std::string_view stream, const consumer_config& config);
std::string text_of(const fetch_options& options);

// Each reads an answer of the server; one that is an error is a failure of that meaning.
outcome<stream_info> stream_of(std::string_view answer);
outcome<consumer_info> consumer_of(std::string_view answer);
outcome<publish_ack> ack_of(std::string_view answer);
outcome<stored_message> message_of(std::string_view answer);
outcome<std::uint64_t> purged_of(std::string_view answer);
outcome<void> success_of(std::string_view answer);

/// Returns a text that can stand in JSON.
std::string quoted(std::string_view text);

/// Reads what a consumer says of a message in the subject for its answer: "$JS.ACK....". False if it is none.
bool read_ack_subject(std::string_view reply, jetstream_message& into);

} // namespace troupe::detail::jetstream_json
