#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <troupe/history/history_store.hpp>
#include <troupe/nats/jetstream_types.hpp>
#include <troupe/nats/nats_options.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Which stream keeps messages, and how many.
struct jetstream_history_options {
  /// The servers, and who we are. There are two connections with these: what is kept may be stuck behind a full disk, and
  /// what comes live must not be. Where `ping_interval` and `reconnect.max` are as at first, they are half a second here.
  nats_options nats{};

  /// The stream's, and what its subjects begin with: 1 to 64 letters, digits, `-` and `_`.
  std::string name = "rooms";

  /// Messages of a topic that are kept; the oldest go. 1 or more.
  std::size_t per_topic = 1000;

  /// How long a message is kept; zero: for ever.
  duration max_age = duration::zero();

  /// Bytes of all of them; 0: as the server has room. Below what its disk has: a server without room says nothing at all.
  std::uint64_t max_bytes = 0;
  std::size_t replicas = 1; ///< servers that have a copy: 1, 3 or 5
  stream_storage storage = stream_storage::file;

  /// How long an id is remembered.
  duration duplicate_window = std::chrono::minutes(2);
};

/// A store in a stream of NATS: the history that several processes share.
///
/// What one of them appends all of them hear, in the stream's order. An acknowledgement means what the server means by it:
/// with one copy, that it is in its file, which survives the end of the server and not that of its machine, for it is
/// fsynced within minutes; with `replicas` of 3, that two servers have it.
///
/// The stream is made if it is not there. One of that name that has another configuration is left alone, and the store is
/// away (`history_errc::wrong_store`) until that is changed.
class jetstream_history final : public history_store {
public:
  /// \throws std::invalid_argument if an option makes no sense
  explicit jetstream_history(jetstream_history_options options);
  ~jetstream_history() override;

  [[nodiscard]] std::unique_ptr<history_link> attach(runtime& rt, history_events& events) override;
  [[nodiscard]] std::string name() const override;

private:
  const jetstream_history_options options_;
};

} // namespace troupe
