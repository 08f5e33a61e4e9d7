#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <troupe/net/client_factory.hpp>
#include <troupe/net/connect_unix.hpp>
#include <troupe/net/connector.hpp>
#include <troupe/runtime/detail/patience.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/runtime.hpp>

#include "connect_socket.hpp"
#include "transport_kind.hpp"

namespace troupe::detail {

/// Where a connector connects to: what comes of `find` when it connects.
struct destination {
  net_address name;
  /// Returns the addresses to try, in order. Called on the loop that connects.
  std::function<deferred<std::vector<sockaddr_storage>>(event_loop&)> find;
};

/// Returns where `host`, a name or an address in numbers, is.
destination tcp_destination(runtime& rt, const std::string& host, std::uint16_t port,
                            const connect_options& options);

/// Returns where the UNIX socket `path` is.
destination unix_destination(const std::string& path, const unix_connect_options& options);

/// Returns `options`. \throws std::logic_error if a time among them is negative
connect_options checked(connect_options options);
unix_connect_options checked(unix_connect_options options);

/// Where a connection is made, and whether it stays there.
struct connecting_place {
  event_loop& loop;
  bool in_turn; // the connections run on the loops in turn
};

/// Says what `asked`, a `connect_options::loop`, means to the caller.
///
/// \throws std::invalid_argument if there is no such loop
/// \throws std::logic_error if it is another one than the caller's
connecting_place place_of(runtime& rt, std::size_t asked);

/// \throws std::invalid_argument if `f` has been started on another loop
void expect_on_loop(const factory_ref& f, const event_loop& loop);

/// Returns what the end of a protocol says of its connection.
failure reason_of(const caf::error& e);

/// Returns "localhost:7010 (the connection was refused)".
std::string with_reason(const net_address& to, const failure& why);

/// Sees what becomes of a connection that a supervisor keeps.
class connection_watcher {
public:
  virtual ~connection_watcher() = default;
  virtual void connection_opened() = 0;

  /// It has ended, or the attempt has come to nothing. Nothing follows.
  virtual void connection_over(const failure& why) = 0;
};

/// What a `connector` refers to. It lives as long as somebody refers to it, or it is connecting or
/// connected (its factory keeps it then).
///
/// Thread: its loop's.
class connecting : public std::enable_shared_from_this<connecting> {
public:
  using state = connector::state;

  connecting(connecting_place where, destination to, client_factory_ref f, connect_options options,
             std::shared_ptr<const transport_kind> kind);

  /// Lets `watcher` be told what becomes of the one attempt, and of the connection: a supervisor
  /// makes it again, in another object, and so nobody else may. Before `connect`.
  void watch(std::shared_ptr<connection_watcher> watcher) { watcher_ = std::move(watcher); }
  [[nodiscard]] bool was_watched() const noexcept { return once_; }

  void connect();
  void disconnect();
  void stop_connecting(const failure& why);

  /// Ends the connection at once, or the attempt.
  void abort();

  [[nodiscard]] event_loop& loop() const noexcept { return loop_; }
  [[nodiscard]] const net_address& get_destination() const noexcept { return to_.name; }
  [[nodiscard]] state get_state() const noexcept { return state_; }
  [[nodiscard]] const failure& last_failure() const noexcept { return last_; }

private:
  static constexpr auto none = static_cast<std::size_t>(-1);

  client_factory& factory() const { return static_cast<client_factory&>(*factory_.get()); }
  template <class F>
  bool as_factory(F&& fn);
  void begin();
  void guarded(void (connecting::*step)());
  void limit(time_point due, duration after);
  void look_up();
  deferred<connected_socket> connect_to(const sockaddr_storage& to,
                                        const std::optional<sockaddr_storage>& from);
  deferred<connected_socket> race(const std::vector<sockaddr_storage>& addresses);
  void connected(connected_socket socket);
  void join(connected_socket socket, const protocol_ptr& built, std::uint64_t attempt);
  void opened(const failure* failed);
  void failed(const failure& why);
  void lost(const failure& why);
  void over(const failure& why);
  void ended(void (client_factory::*tell)(connector&, const failure&), const failure& why);

  event_loop& loop_;
  const bool in_turn_;
  clock& clock_;
  const destination to_;
  const client_factory_ref factory_;
  const connect_options options_;
  const std::shared_ptr<const transport_kind> kind_;
  state state_ = state::disconnected;
  std::uint64_t attempt_ = 0;               // counts; what belongs to an older one is void
  std::optional<deferred<void>> under_way_; // looking up, or connecting
  tracked_call limit_;
  patience patience_;
  std::size_t index_ = none;            // its place among the factory's active ones
  protocol_ptr protocol_;               // from when it was built to its end
  failure why_;                         // it is ended by us
  failure last_;                        // why the latest attempt failed, or connection ended
  std::atomic<bool> called_off_{false}; // so the loop of the protocol need not begin
  std::shared_ptr<connection_watcher> watcher_;
  bool once_ = false; // it was watched, and has been begun
};

/// Makes a connector, and lets it connect. \throws as `checked`, `place_of`, `expect_on_loop`
connector start_connecting(runtime& rt, destination to, const client_factory_ref& f,
                           const connect_options& options,
                           std::shared_ptr<const transport_kind> kind);

} // namespace troupe::detail
