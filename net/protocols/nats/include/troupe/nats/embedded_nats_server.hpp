#pragma once

#include <memory>
#include <string>

#include <troupe/nats/nats_server_child.hpp>

namespace spdlog {
class logger;
}

namespace troupe {

/// What an `embedded_nats_server` is told.
struct embedded_nats_options {
  /// What the server is like. `started` is called in the thread of the server's keeper; `restart` does not count: it is
  /// always started again.
  nats_server_options server{};

  /// Gives JetStream a folder among the system's temporary ones, where `server` names none; it goes with the server. What
  /// a process that was killed left there, the next one that has such a folder removes.
  bool temporary_store = false;

  /// Where its keeper logs; null as for a `runtime`.
  std::shared_ptr<spdlog::logger> logger{};
};

/// A `nats-server` of this process: there from the constructor to the destructor.
///
/// For programs that are a cluster's first node, or all of it that there is on one machine, and want no other program to be
/// started before them. Whoever can reach `server.host` may use it, other processes' nodes among them, unless `server` says who may.
/// It is made before the runtime whose nodes use it and so ends after them: what they say at their end is still passed on.
///
/// ```cpp
/// troupe::embedded_nats_server nats{{.temporary_store = true}};
/// troupe::runtime rt;
/// troupe::cluster cluster{rt, {.name = "chat-1",
///                              .via = std::make_shared<troupe::nats_backplane>(
///                                troupe::nats_options{.servers = {nats.url()}})}};
/// ```
///
/// A supervisor keeps it, in a runtime and a thread of its own. One that ends or is not well is started again at its port,
/// after a tenth of a second at first and ten later. It does not outlive this process, however that ends.
///
/// Thread: any.
class embedded_nats_server {
public:
  /// Returns when the server is ready for clients.
  ///
  /// \throws std::system_error of `errc::spawn_failed` if it is not installed, of `errc::child_start_failed` with its
  ///         complaint if it ends at once or is not ready in time, of the system if there is no temporary folder to be had
  /// \throws std::invalid_argument as `nats_server_config`
  explicit embedded_nats_server(embedded_nats_options options = {});

  /// Ends the server, in order (`kill_after`), and waits for that.
  ~embedded_nats_server();

  embedded_nats_server(const embedded_nats_server&) = delete;
  embedded_nats_server& operator=(const embedded_nats_server&) = delete;

  /// Returns where clients find it: "nats://127.0.0.1:40123". It stays the same.
  [[nodiscard]] std::string url() const { return address().url; }

  /// Returns where it is now. Its process is another one after a restart, and so is `monitor_port`.
  [[nodiscard]] nats_server_address address() const;

  /// Returns the folder of JetStream; empty if there is none.
  [[nodiscard]] const std::string& store_directory() const noexcept;

private:
  struct parts;
  std::unique_ptr<parts> parts_;
};

} // namespace troupe
