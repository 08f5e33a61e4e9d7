#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <troupe/net/net_address.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/runtime.hpp>

namespace troupe {

/// Finds the addresses of hosts.
///
/// Thread: that of the loop whose connectors use it.
/// Source: twisted.internet.interfaces.IHostnameResolver
class resolver {
public:
  virtual ~resolver() = default;

  /// Looks `host` up. Cancelling the deferred drops the answer.
  ///
  /// \returns its addresses with `port`, the one to try first first
  /// Fails with: `errc::unknown_host`, naming it; `errc::timed_out`
  [[nodiscard]] virtual deferred<std::vector<net_address>> resolve(const std::string& host,
                                                                   std::uint16_t port) = 0;
};

/// The resolver of the system: `getaddrinfo`, in threads that do nothing else, so that neither a
/// loop nor the pool of `call_in_thread` waits for a name server. It knows what the system knows:
/// /etc/hosts, the name service switch, the domain's own names.
///
/// A thread that is stuck in the system keeps nobody waiting, not even the runtime's end.
///
/// Thread: its loop's; the counters: any.
class system_resolver final : public resolver {
public:
  /// How many lookups run at once; more wait in line.
  static constexpr std::size_t max_threads = 4;

  /// How long a lookup may take, as Twisted's resolver: 1 + 3 + 11 + 45 seconds.
  static constexpr duration lookup_timeout = std::chrono::seconds(60);

  explicit system_resolver(runtime& rt) : system_resolver(rt, rt.scheduler().loop(0)) {}
  system_resolver(runtime& rt, event_loop& loop);
  ~system_resolver() override;
  system_resolver(const system_resolver&) = delete;
  system_resolver& operator=(const system_resolver&) = delete;

  /// Returns the one of a loop, loop 0 unless said otherwise, which all of its connectors share that
  /// are given no other.
  [[nodiscard]] static std::shared_ptr<system_resolver> of(runtime& rt) {
    return of(rt, rt.scheduler().loop(0));
  }
  [[nodiscard]] static std::shared_ptr<system_resolver> of(runtime& rt, event_loop& loop);

  deferred<std::vector<net_address>> resolve(const std::string& host, std::uint16_t port) override;

  [[nodiscard]] std::size_t queued() const;  ///< lookups that no thread has begun
  [[nodiscard]] std::size_t workers() const; ///< threads there are

private:
  struct shared;
  struct lookup;

  void answered(std::uint64_t id, outcome<std::vector<net_address>> found);

  event_loop& loop_;
  clock& clock_;
  std::map<std::uint64_t, lookup> waiting_; // for answers
  std::uint64_t next_id_ = 0;
  const std::shared_ptr<shared> shared_; // with the threads, which may outlive this object
};

} // namespace troupe
