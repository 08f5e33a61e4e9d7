#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include <troupe/actors/child_spec.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Somebody whom a server that we start lets in: by a password, or by a key.
struct nats_server_user {
  std::string name{};
  std::string password{};

  /// The public part of a key ("U..."); then name and password do not count.
  std::string nkey{};

  /// The subjects to which it may publish, and subscribe; empty: all.
  std::vector<std::string> publish{};
  std::vector<std::string> subscribe{};
};

/// How a server that we start speaks TLS; all are files in PEM format.
struct nats_server_tls {
  std::string certificate_file;
  std::string key_file;

  /// The authorities that vouch for clients; if there are some, clients must show a certificate.
  std::string trusted_file{};

  /// Whether the name in a client's certificate (subjectAltName) is the name of its user.
  bool map_users = false;
};

/// Where a server that we started is.
struct nats_server_address {
  std::string url; ///< "nats://127.0.0.1:40123"; over TLS "tls://..."
  std::string host;
  std::uint16_t port = 0;
  std::uint16_t monitor_port = 0; ///< HTTP, on loopback: /healthz, /varz, /jsz
  pid_t pid = 0;
};

/// What a server that we start is like.
struct nats_server_options {
  /// The program: a path, or a name that is looked for in PATH.
  std::string program = "nats-server";

  std::string name{};
  std::string host = "127.0.0.1";

  /// 0: a free one at the first start, and the same one from then on, so that clients find it again.
  std::uint16_t port = 0;

  /// Where JetStream keeps its messages; empty: there is no JetStream. The folder is made if it is not there.
  std::string store_directory{};

  /// How much it may keep there. Less than the disk has: a full disk stops more than JetStream.
  std::uint64_t max_store = std::uint64_t{1} << 30;

  /// Who may connect; if there are none and no token, everybody who reaches it.
  std::vector<nats_server_user> users{};
  std::string token{};
  std::optional<nats_server_tls> tls{};

  std::size_t max_payload = std::size_t{1024} * 1024;

  /// How long a client may leave what is sent to it before it is cut off, and how often it is asked whether it is there.
  duration write_deadline = std::chrono::seconds(2);
  duration ping_interval = std::chrono::seconds(20);

  /// More of the server's own configuration, as it is.
  std::string more{};

  /// How long it may take to start.
  duration start_timeout = std::chrono::seconds(10);

  /// How often it is asked whether it is well (/healthz), and after how many failures in a row it is killed, so that
  /// it is started again. `duration::max()`: never.
  duration health_interval = std::chrono::seconds(1);
  std::size_t health_failures = 5;

  /// How long it may take to end once it was told to.
  duration kill_after = std::chrono::seconds(5);

  restart_type restart = restart_type::permanent;

  /// Called for each start, on the loop of the process, with where it is.
  std::function<void(const nats_server_address&)> started{};
};

/// Returns the configuration of a server with these options. Secrets are in it.
///
/// \param port  0: a free one
/// \throws std::invalid_argument if an option has what cannot stand in it
[[nodiscard]] std::string nats_server_config(const nats_server_options& options,
                                             std::uint16_t port);

/// Returns a spec of a `nats-server` as a supervisor's child, for demonstrations, tests and services on one machine.
///
/// It has started when the server is ready for clients; one that ends before, or takes longer than `start_timeout`, is
/// a start that failed: `errc::spawn_failed` or `errc::child_start_failed`, with the last complaint of the server. Its
/// configuration goes through a pipe and never to a disk. Its log goes to the runtime's, warnings and worse as warnings.
/// The child ends with the program, as with `process_child`, and is ended in the same way (SIGTERM, then SIGKILL). Where
/// this process is killed, the server is, too.
///
/// ```cpp
/// troupe::root_supervisor(rt)->start_child(troupe::nats_server_child(rt, "nats", {.started = [](const auto& where) {
///   std::printf("%s\n", where.url.c_str());
/// }}));
/// ```
///
/// \throws std::invalid_argument as `nats_server_config`
/// Lifetime: `rt` is that of the supervisor.
[[nodiscard]] child_spec nats_server_child(runtime& rt, std::string id,
                                           nats_server_options options = {});

} // namespace troupe
