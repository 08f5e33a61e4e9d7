#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

#include <troupe/net/detail/stream_layer.hpp>
#include <troupe/net/factory.hpp>
#include <troupe/net/tls_info.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/patience.hpp>

#include "tls_engine.hpp"
#include "transport_kind.hpp"

namespace troupe::detail {

/// The memory that the TLS connections of one loop share. Each part serves within one call only.
class tls_memory final : public asio::execution_context::service {
public:
  using key_type = tls_memory; // as Asio wants it
  static inline asio::execution_context::id id;

  static constexpr std::size_t plain_bytes = 65536; // the most that data_received is given at once
  static constexpr std::size_t record_bytes = 16384;
  static constexpr std::size_t batch_bytes = 4 * record_bytes; // sealed and sent at once

  explicit tls_memory(asio::execution_context& context)
    : asio::execution_context::service(context),
      plain(std::make_unique_for_overwrite<std::byte[]>(plain_bytes)),
      record(std::make_unique_for_overwrite<std::byte[]>(record_bytes)) {
    sink.reserve(batch_bytes + 4096);
  }

  std::unique_ptr<std::byte[]> plain;  // what was just read
  std::unique_ptr<std::byte[]> record; // where small pieces of output become one record
  std::vector<std::byte> sink;         // what an engine wants to send

private:
  void shutdown() override {}
};

class tls_layer;

/// A protocol that waits for its connection's handshake.
struct tls_opening {
  tls_layer* layer;
  protocol_ptr waiting;
  transport_kind::opened told;
};

/// TLS inside a stream_transport.
class tls_layer final : public stream_layer {
public:
  /// Use `open` or `start`. \param destination  of a client: under what its session is remembered
  tls_layer(stream_transport& transport, std::shared_ptr<const tls_settings> settings,
            const std::string& host, const std::string& destination);
  ~tls_layer() override;

  /// Opens `t`, which is new, for `p` after a handshake, for which `settings` say how long it may
  /// take. Calls `told` once: with nothing, behind `connection_made`, or with why there is none.
  ///
  /// \param host         of a client: whom to verify
  /// \param destination  of a client: under what its session is remembered
  static void open(stream_transport& t, const protocol_ptr& p,
                   std::shared_ptr<const tls_settings> settings, const std::string& host,
                   const std::string& destination, transport_kind::opened told);

  /// Goes on with TLS on an open connection: what is written from now on is sealed, and what comes is
  /// the handshake's, beginning with `received`.
  ///
  /// \throws std::logic_error if it speaks TLS already
  static void start(stream_transport& t, std::shared_ptr<const tls_settings> settings,
                    const std::string& host, bytes_view received);

  [[nodiscard]] const tls_info* info() const noexcept override { return &info_; }
  [[nodiscard]] bool has_pending() const noexcept override { return !pending_.empty(); }
  bool send_pending() override;
  std::size_t send(std::span<const iovec> pieces, std::error_code& ec) noexcept override;
  bool say_goodbye() override;
  void send_last_words() noexcept override;
  void received(bytes_view data) override;
  bool read_ended() override;
  void wake() override;
  bool turn_ended() override;
  void end_handshake(const failure& reason) override;

private:
  // What a peer that does not read can make us hold with questions that TLS itself answers.
  static constexpr std::size_t answers_at_most = 256 * 1024;

  void limit_handshake(time_point due, time_point at);
  void handshake_done();
  bool handshake();
  bool seal(std::span<const iovec> pieces, std::size_t skip, std::size_t count);
  void send_sink();
  void fail(failure reason);

  tls_memory& memory_;
  tls_engine engine_;
  tls_info info_{engine_.ssl()};

  std::vector<std::byte> pending_; // sealed, and for the system to take; before all other output
  std::size_t allowance_ = answers_at_most; // of `pending_`
  std::size_t sealed_ = 0;       // how much of the output's beginning lies sealed in `pending_`
  std::vector<std::byte> stash_; // input that waits while reading is paused

  std::shared_ptr<tls_opening> opening_; // only during the handshake of a new connection
  delayed_call deadline_;                // of the handshake
  detail::patience patience_;            // with it
  std::optional<failure> failed_;        // ends the connection at the end of the turn
  bool awake_ = false;                   // looks at its input at the end of the turn
  bool closed_by_peer_ = false;
  bool said_goodbye_ = false;
};

} // namespace troupe::detail
