#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/nats/nats_message.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Where a stream keeps its messages.
enum class stream_storage : std::uint8_t { file, memory };

/// How long a stream keeps a message: as its limits say; while consumers want it; until one has acknowledged it.
enum class stream_retention : std::uint8_t { limits, interest, workqueue };

/// What a full stream does: forgets its oldest message, or refuses the new one.
enum class stream_discard : std::uint8_t { oldest, newest };

/// What a stream is like. Counts and sizes of 0 are no limits.
struct stream_config {
  /// Letters, digits, `-` and `_`.
  std::string name;

  /// What it keeps: patterns of subjects.
  std::vector<std::string> subjects{};
  stream_storage storage = stream_storage::file;
  stream_retention retention = stream_retention::limits;
  stream_discard discard = stream_discard::oldest;
  std::uint64_t max_messages = 0;
  std::uint64_t max_bytes = 0;
  std::uint64_t max_messages_per_subject = 0;
  std::uint32_t max_message_size = 0;
  duration max_age = duration::zero();

  /// How many servers keep a copy: 1, 3 or 5.
  std::size_t replicas = 1;

  /// How long the id of a message is remembered, so that the same one again is not kept twice.
  duration duplicate_window = std::chrono::minutes(2);

  /// Whether messages may be read from any copy, and without the cost of a consumer.
  bool allow_direct = false;

  /// What is kept is published again, to `republish_to`, where it came in at `republish_from`, with its sequence in the
  /// headers; empty: it is not.
  std::string republish_from{};
  std::string republish_to{};

  friend bool operator==(const stream_config&, const stream_config&) = default;
};

/// A stream as it is.
struct stream_info {
  stream_config config;
  std::string created; ///< when, as RFC 3339 writes it
  std::string cluster; ///< of the servers; empty: there is one server only
  std::string leader; ///< the server that keeps it, and of several the one that orders its messages
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::size_t consumers = 0;
};

/// Where a consumer begins.
enum class consumer_start : std::uint8_t { first, last, next, sequence, last_per_subject };

/// What a consumer is like, of the kind that is asked for messages (`jetstream::fetch`).
struct consumer_config {
  /// With a name it stays when nobody asks; without one the server gives it one, and forgets it after a while.
  std::string name{};

  /// What of the stream it gets; empty: all.
  std::string filter{};
  consumer_start start = consumer_start::first;
  std::uint64_t start_sequence = 0; ///< for `consumer_start::sequence`

  /// Whether each message must be acknowledged; one that is not, within `ack_wait`, comes again.
  bool acknowledged = true;
  duration ack_wait = std::chrono::seconds(30);
  std::uint32_t max_deliver = 0; ///< how often one comes at most; 0: as often as it takes
  std::uint32_t max_ack_pending = 1000;

  /// How long it is kept without anybody who asks; 0: as the server has it.
  duration inactive_threshold = duration::zero();
};

/// A consumer as it is.
struct consumer_info {
  std::string stream;
  std::string name;
  std::uint64_t delivered_sequence = 0; ///< of the stream
  std::uint64_t pending = 0;            ///< messages that it has yet to deliver
  std::uint64_t ack_pending = 0;        ///< delivered, and not acknowledged
};

/// What the store says of a message that it has.
struct publish_ack {
  std::string stream;
  std::uint64_t sequence = 0;
  bool duplicate = false; ///< it had one of that id already, with this sequence
};

/// What goes with a message to a stream.
struct jetstream_publish_options {
  nats_headers headers{};

  /// Its id: published again with the same one within the stream's `duplicate_window`, it is kept once.
  std::string id{};

  /// The message is kept only if the stream's last sequence, or the last one of its subject, is this (0: there is none),
  /// or if it goes to that stream. Servers before 2.9.21 may keep several that come at the same moment and expect the same one
  /// (but 0) of a subject, in a stream with replicas; of those that have the same `id`, too, they keep one.
  std::optional<std::uint64_t> expected_last_sequence{};
  std::optional<std::uint64_t> expected_last_subject_sequence{};
  std::string expected_stream{};

  /// Unset, that of the `jetstream`.
  std::optional<duration> timeout{};
};

/// A message that a consumer has delivered.
struct jetstream_message {
  nats_message message;
  std::string stream;
  std::string consumer;
  std::uint64_t sequence = 0;          ///< of the stream
  std::uint64_t consumer_sequence = 0; ///< of the consumer
  std::uint64_t deliveries = 0;        ///< how often it was delivered, this time included
  std::uint64_t pending = 0;           ///< how many follow
  std::int64_t time = 0;               ///< when it was stored, in nanoseconds since 1970
};

/// A message as it lies in a stream.
struct stored_message {
  std::string subject;
  std::uint64_t sequence = 0;
  std::string time; ///< when it was stored, as RFC 3339 writes it
  nats_headers headers;
  std::string payload;
};

/// Returns the microseconds since 1970 of a time as a server writes it (RFC 3339 section 5.6, in UTC); nothing if it is
/// none.
[[nodiscard]] std::optional<std::uint64_t> microseconds_of_time(std::string_view time);

/// How messages are fetched.
struct fetch_options {
  /// How many at most, 1 or more, and how many bytes; 0: no limit.
  std::size_t batch = 1;
  std::size_t max_bytes = 0;

  /// How long to wait until there are so many; 0: it takes those that there are.
  duration expires = std::chrono::seconds(5);
};

} // namespace troupe
