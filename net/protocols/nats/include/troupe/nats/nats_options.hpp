#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/nats/nats_credentials.hpp>
#include <troupe/nats/nats_url.hpp>
#include <troupe/net/client_service.hpp>
#include <troupe/net/tls_context.hpp>
#include <troupe/runtime/failure.hpp>
#include <troupe/runtime/time.hpp>

namespace troupe {

/// Something that happened to a `nats_connection`, beside what its functions return.
struct nats_event {
  enum class kind : std::uint8_t {
    connected,    ///< for the first time since it was started
    disconnected, ///< `why` says for what reason; it is made again by itself
    reconnected, ///< and all subscriptions are asked for again; `flush` tells when the server has them
    discovered,    ///< a server that is not among the options joined the list
    lame_duck,     ///< the server is about to end; if there is another one, we move there
    error,         ///< the server complains (`why`), such as nats_errc::permissions_violation
    slow_consumer, ///< a subscription begins to drop messages: `text` is its pattern
    dropped,       ///< what waited for the connection could not be sent after all: `why`
  };

  kind what;
  std::string text{}; ///< the server's name, or what the kind says
  failure why{};
};

/// Returns the enumerator's own name, such as "lame_duck".
[[nodiscard]] std::string_view name(nats_event::kind what) noexcept;

/// How a `nats_connection` behaves. Sizes are bytes.
struct nats_options {
  /// The servers, any of which will do: see `nats_url::parse`. At least one.
  std::vector<std::string> servers{"nats://127.0.0.1:4222"};

  /// What the server shows for this client in its pages; empty: nothing.
  std::string name{};

  /// Who this client is, unless a URL says otherwise.
  nats_credentials credentials{};

  /// How TLS is spoken; with it, a server that does not offer TLS is refused. Without, TLS is spoken where the URL
  /// or the server asks for it, and trusts whom the system trusts.
  std::optional<tls_client_context> tls{};

  /// Begins with the handshake instead of waiting for the server's INFO, as newer servers can be told to
  /// (`handshake_first`). The server must.
  bool tls_first = false;

  /// Whether this client gets what it publishes itself, where it subscribes to that.
  bool echo = true;

  /// Whether the servers are tried in an order that is shuffled once, so that clients spread.
  bool randomize = true;

  /// Whether servers that a server tells of are tried too; 64 are remembered at most.
  bool discover = true;

  /// How long it may take to connect to a server, and then until it has accepted us.
  duration connect_timeout = std::chrono::seconds(2);

  /// How long to wait before all servers are tried once more: see `backoff`. From one to the next of them, and for
  /// the first after a loss if there are several, it waits no longer than the jitter. Without a function for the
  /// jitter, it is up to 100 ms.
  backoff reconnect{
    .initial = std::chrono::milliseconds(250), .max = std::chrono::seconds(10), .factor = 2};

  /// How often the server is asked whether it is still there; and after how many of these spans in which nothing at
  /// all came from it the connection is given up. `duration::max()`: it is not asked.
  duration ping_interval = std::chrono::seconds(15);
  std::size_t max_pings_out = 2;

  /// How much may wait to be taken by the server: what is published beyond is refused with
  /// `errc::queue_overflow`.
  std::size_t max_unsent = std::size_t{8} * 1024 * 1024;

  /// How much is kept of what is published while there is no connection, and sent when there is one again. 0: it is
  /// refused with `errc::not_connected`.
  std::size_t reconnect_buffer = std::size_t{8} * 1024 * 1024;

  /// The largest message that is taken from the server; one that sends more is taken for broken.
  std::size_t max_message = std::size_t{8} * 1024 * 1024;

  /// How many requests may wait for their answers.
  std::size_t max_requests = 65'536;

  /// What the subjects for answers begin with. A user who may subscribe only below one of his own needs that one.
  std::string inbox_prefix = "_INBOX";

  /// Called with what happens, on the connection's loop.
  std::function<void(const nats_event&)> on_event{};

  /// How a server is reached; empty: by TCP. For a UNIX socket, a proxy, or a test without a network. TLS is spoken
  /// on top of it all the same where it is asked for.
  std::function<std::shared_ptr<client_endpoint>(const nats_url&)> reach{};

  /// Null: that of the connection's loop. It must outlive the connection. For tests.
  troupe::clock* clock = nullptr;
};

} // namespace troupe
