#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>

#include <troupe/net/factory.hpp>
#include <troupe/net/tls_info.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/patience.hpp>

#include "tls_engine.hpp"
#include "transport_kind.hpp"

namespace troupe::detail {

class stream_transport;

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

/// A protocol that waits for its connection's handshake.
struct tls_opening {
  stream_transport* transport;
  protocol_ptr waiting;
  transport_kind::opened told;
};

/// What a stream_transport has in addition when it speaks TLS.
struct tls_layer {
  tls_layer(event_loop& loop, std::shared_ptr<const tls_settings> settings, const std::string& host,
            const std::string& destination)
    : memory(asio::use_service<tls_memory>(loop.io())),
      engine(std::move(settings), memory.sink, host, destination) {}

  // What a peer that does not read can make us hold with questions that TLS itself answers.
  static constexpr std::size_t answers_at_most = 256 * 1024;

  tls_memory& memory;
  tls_engine engine;
  tls_info info{engine.ssl()};

  std::vector<std::byte> pending; // sealed, and for the system to take; before all other output
  std::size_t allowance = answers_at_most; // of `pending`
  std::size_t sealed = 0;       // how much of the output's beginning lies sealed in `pending`
  std::vector<std::byte> stash; // input that waits while reading is paused

  std::shared_ptr<tls_opening> opening; // only during the handshake of a new connection
  delayed_call deadline;                // of the handshake
  detail::patience patience;            // with it
  std::optional<failure> failed;        // ends the connection at the end of the turn
  bool awake = false;                   // looks at its input at the end of the turn
  bool closed_by_peer = false;
  bool said_goodbye = false;
};

} // namespace troupe::detail
