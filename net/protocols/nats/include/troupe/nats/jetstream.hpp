#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/nats/jetstream_types.hpp>
#include <troupe/nats/nats_connection.hpp>

namespace troupe {

/// Where JetStream is asked, and how long for.
struct jetstream_options {
  /// What its subjects begin with; with a domain, `$JS.<domain>.API`.
  std::string prefix = "$JS.API";
  duration timeout = std::chrono::seconds(5);
};

/// Messages that are kept: the streams of a NATS server.
///
/// `publish` answers when the store has the message; a failure may mean that it has it all the same, so publish again
/// with the same `id`. What "has it" means is the server's affair: one copy in its memory or on its disk, which Debian's
/// server writes out within minutes; several copies with `stream_config::replicas`.
///
/// ```cpp
/// const troupe::stream_config orders{.name = "orders", .subjects = {"orders.>"}};
/// const troupe::consumer_config billing{.name = "billing"};
/// const troupe::jetstream_publish_options once{.id = order_id};
/// troupe::jetstream js{nats};
/// co_await js.create_stream(orders);
/// auto kept = co_await js.publish("orders.new", order, once);
/// co_await js.create_consumer("orders", billing);
/// for (auto& m : co_await js.fetch("orders", "billing"))
///   js.ack(m);
/// ```
///
/// (In a coroutine, options have names of their own: GCC 12 frees temporaries of an aggregate inside of `co_await` twice.)
///
/// All of it fails with: `nats_errc::jetstream_unavailable` if nobody answers for JetStream; `errc::timed_out`; another
/// of `nats_errc` with the server's text; `errc::invalid_argument` for a name that cannot be one; and as
/// `nats_connection::request`.
///
/// It is a handle: making and dropping one costs nothing. Thread: the connection's loop. Lifetime: no longer than the
/// connection's.
class jetstream {
public:
  explicit jetstream(nats_connection& nats, jetstream_options options = {})
    : nats_(&nats), options_(std::move(options)) {}

  // -- streams ----------------------------------------------------------------------------------

  /// Makes a stream; one that is there already, with the same configuration, is fine.
  ///
  /// It is asked for first. In a cluster it is made only if it is said for as long as `doubt`, and up to a second more, that
  /// it is not there: servers that have just elected a leader say so of streams that are, and lose all of one that is made
  /// once more. One server is believed at once.
  ///
  /// A user with permissions needs `STREAM.INFO` for it, too.
  ///
  /// Fails with: `nats_errc::stream_exists` if it has another configuration; as `get_stream`
  [[nodiscard]] deferred<stream_info> create_stream(const stream_config& config,
                                                    duration doubt = std::chrono::seconds(2));
  [[nodiscard]] deferred<stream_info> update_stream(const stream_config& config);

  /// Returns what a stream is.
  ///
  /// Fails with: `nats_errc::stream_not_found`; `nats_errc::jetstream_unavailable` while no server leads it, for what others
  /// say of it then may be wrong, or while it is just being made
  [[nodiscard]] deferred<stream_info> get_stream(std::string_view name);
  [[nodiscard]] deferred<void> delete_stream(std::string_view name);

  /// Removes all messages, or those whose subject matches `filter`. \returns how many
  [[nodiscard]] deferred<std::uint64_t> purge_stream(std::string_view name,
                                                     std::string_view filter = {});

  /// Returns one message. Fails with: `nats_errc::message_not_found`
  [[nodiscard]] deferred<stored_message> get_message(std::string_view stream,
                                                     std::uint64_t sequence);

  /// Returns the last message of a subject.
  [[nodiscard]] deferred<stored_message> get_last_message(std::string_view stream,
                                                          std::string_view subject);

  /// Returns the first message of a subject whose sequence is `sequence` or more. It takes a server from 2.9 on.
  [[nodiscard]] deferred<stored_message>
  get_next_message(std::string_view stream, std::string_view subject, std::uint64_t sequence);

  // -- messages ---------------------------------------------------------------------------------

  /// Publishes, and returns a deferred of where the store has it.
  ///
  /// Fails with: `nats_errc::wrong_last_sequence` if another one was expected; `nats_errc::id_in_process` if one with this id is
  /// just being stored
  [[nodiscard]] deferred<publish_ack> publish(std::string_view subject, std::string_view payload,
                                              const jetstream_publish_options& options = {});

  // -- consumers --------------------------------------------------------------------------------

  [[nodiscard]] deferred<consumer_info> create_consumer(std::string_view stream,
                                                        const consumer_config& config);
  [[nodiscard]] deferred<consumer_info> get_consumer(std::string_view stream,
                                                     std::string_view consumer);
  [[nodiscard]] deferred<void> delete_consumer(std::string_view stream, std::string_view consumer);

  /// Returns the next messages of a consumer: `batch` of them, or those that came within `expires`, perhaps none. If the
  /// server does not say that its time is over, it ends when nothing has come for one to two seconds more; what comes after
  /// that is lost, which the next fetch shows by a gap in `consumer_sequence`.
  ///
  /// Fails with: `errc::timed_out` a second after `expires` if nobody answers for it, for there is no such consumer, or
  /// JetStream is away; `nats_errc::consumer_not_found` if it is deleted meanwhile and none came
  [[nodiscard]] deferred<std::vector<jetstream_message>>
  fetch(std::string_view stream, std::string_view consumer, const fetch_options& options = {});

  /// Says that a message is dealt with: it does not come again. \returns as `nats_connection::publish`
  std::error_code ack(const jetstream_message& m);

  /// As `ack`, and waits for the server's word that it has heard so.
  [[nodiscard]] deferred<void> ack_sync(const jetstream_message& m);

  /// Says that a message should come again, after `delay`.
  std::error_code nak(const jetstream_message& m, duration delay = duration::zero());

  /// Says that it takes longer: `ack_wait` begins anew.
  std::error_code in_progress(const jetstream_message& m);

  /// Says that it should never come again, though it is not dealt with.
  std::error_code terminate(const jetstream_message& m);

private:
  [[nodiscard]] bool is_single() const;
  deferred<stream_info> order_stream(const stream_config& config);
  deferred<stream_info> find_or_order(const stream_config& config, duration doubt);
  deferred<std::string> ask(const std::string& call, std::string_view name, std::string_view second,
                            std::string body);

  nats_connection* nats_;
  jetstream_options options_;
};

} // namespace troupe
