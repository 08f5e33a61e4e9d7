#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/nats/nats_connection.hpp>
#include <troupe/net/client_service.hpp>
#include <troupe/runtime/detail/tracked_call.hpp>

#include "server_pool.hpp"

namespace troupe::detail {

class nats_wire;

/// How much of a subscription's messages has not been dealt with. Shared with the messages that are on their way to
/// an actor, which count themselves out in whatever thread.
struct nats_pending {
  std::atomic<std::size_t> messages{0};
  std::atomic<std::size_t> bytes{0};

  void add(std::size_t size) noexcept {
    messages.fetch_add(1, std::memory_order_relaxed);
    bytes.fetch_add(size, std::memory_order_relaxed);
  }
  void remove(std::size_t size) noexcept {
    messages.fetch_sub(1, std::memory_order_relaxed);
    bytes.fetch_sub(size, std::memory_order_relaxed);
  }
};

/// A subscription, wherever its messages go.
struct nats_subscribed {
  std::uint64_t sid = 0;
  std::string pattern;
  nats_subscribe_options options;
  std::function<void(const nats_message_view&)> fn; // either this,
  caf::strong_actor_ptr actor;                      // or this, or neither: they wait for next()
  std::deque<nats_message> queue;
  std::deque<promise<nats_message>> waiting;
  std::shared_ptr<nats_pending> pending = std::make_shared<nats_pending>();
  std::uint64_t received = 0;
  std::uint64_t delivered = 0;
  std::uint64_t dropped = 0;
  bool active = true;
  bool slow = false; // has been told so
  failure refused{}; // by the server

  [[nodiscard]] bool queued() const noexcept { return !fn && !actor; }
};

/// What a `nats_connection` is, shared with what may come back to it, which holds it weakly.
class nats_core : public std::enable_shared_from_this<nats_core> {
public:
  using subscribed = std::shared_ptr<nats_subscribed>;

  /// \throws std::invalid_argument as the constructor of `nats_connection`
  static std::shared_ptr<nats_core> make(runtime& rt, nats_options options);
  nats_core(runtime& rt, nats_options options);
  ~nats_core();

  // -- for users --------------------------------------------------------------------------------

  deferred<void> start();
  deferred<void> stop();
  void abandon(); ///< the connection object ends
  deferred<void> when_connected(std::optional<std::size_t> failures);
  std::error_code publish(std::string_view subject, std::string_view payload,
                          std::string_view reply, std::string_view header_block,
                          std::uint64_t token = 0);
  nats_subscription subscribe(std::string_view pattern, const nats_subscribe_options& options,
                              std::function<void(const nats_message_view&)> fn,
                              caf::strong_actor_ptr actor);
  void unsubscribe(const subscribed& s, const failure& why);
  deferred<void> drain(const subscribed& s);
  deferred<nats_message> next(const subscribed& s);
  deferred<nats_message> request(std::string_view subject, std::string_view payload,
                                 const nats_request_options& options, const source_location& where);
  std::string new_inbox();
  deferred<void> flush(duration timeout, const source_location& where);
  deferred<void> drain(duration timeout, const source_location& where);

  void expect_here(const char* function) const { loop_.expect_here(function, instead); }
  [[nodiscard]] bool connected() const noexcept { return wire_ != nullptr; }
  [[nodiscard]] bool stopped() const noexcept { return closed_; }
  [[nodiscard]] const nats_server_info& info() const noexcept { return info_; }
  [[nodiscard]] std::vector<std::string> servers() const { return pool_.names(); }
  [[nodiscard]] std::size_t unsent() const noexcept;
  [[nodiscard]] std::size_t pending_requests() const noexcept { return requests_.size(); }
  [[nodiscard]] const nats_connection_counts& counts() const noexcept { return counts_; }
  [[nodiscard]] clock& time() const noexcept { return clock_; }

  // -- for the wire -----------------------------------------------------------------------------

  [[nodiscard]] const nats_options& options() const noexcept { return options_; }
  [[nodiscard]] const nats_url& server() const noexcept { return pool_.present(); }
  const tls_client_context& tls();
  void opened(nats_wire& w, const nats_server_info& info);
  void lost(nats_wire& w, const failure& why);
  void info_changed(const nats_server_info& info);
  void complained(std::string_view text, const failure& why);
  void deliver(std::uint64_t sid, const nats_message_view& message);

private:
  static constexpr const char* instead =
    "a nats_connection belongs to the loop on which it was made";

  struct asked {
    asked(nats_core& core, std::uint64_t token)
      : answer([&core, token](promise<nats_message>&) { core.cancelled(token); }) {}
    promise<nats_message> answer;
    tracked_call limit{};
    bool sent = false;
  };

  struct kept {
    std::string bytes;
    std::size_t payload; // and headers
    bool headers;
    std::uint64_t token; // of the request that it is; 0: none
    [[nodiscard]] std::size_t cost() const noexcept { return bytes.size() + sizeof(kept); }
  };

  class endpoint;

  duration wait_before(std::size_t attempt) const;
  void learn(const nats_server_info& info);
  void leave_lame_duck();
  void send_kept();
  void log(nats_event::kind what, const std::string& text, const failure& why);
  void announce(nats_event::kind what, std::string text = {}, failure why = {});
  void hand_over(const subscribed& s, const nats_message_view& message);
  void to_queue(nats_subscribed& s, const nats_message_view& message);
  void to_actor(nats_subscribed& s, const nats_message_view& message);
  bool has_room(nats_subscribed& s, std::size_t size);
  void finish(const subscribed& s, const failure& why);
  void answered(const nats_message_view& message);
  void ensure_inbox();
  void fail_requests(const failure& why, bool all);
  void take_request(std::uint64_t token, outcome<nats_message> result);
  void cancelled(std::uint64_t token);
  void no_request_left();
  void pings_fail(const failure& why);
  deferred<void> round_trip();

  runtime& rt_;
  event_loop& loop_;
  const nats_options options_;
  clock& clock_;
  server_pool pool_;
  std::optional<tls_client_context> tls_;
  std::shared_ptr<client_service> service_;
  nats_wire* wire_ = nullptr; // while it is established
  nats_server_info info_;
  bool closed_ = false; // stopped, and not started again
  bool draining_ = false;
  bool was_connected_ = false; // since the start

  std::unordered_map<std::uint64_t, subscribed> subscriptions_;
  std::uint64_t latest_sid_ = 0;
  std::string inbox_;           // what our inboxes begin with, with a dot at its end
  std::uint64_t inbox_sid_ = 0; // 0: it is not subscribed to
  std::uint64_t latest_token_ = 0;
  std::unordered_map<std::uint64_t, asked> requests_;
  std::vector<promise<void>> idle_; // who waits until there are no requests
  std::deque<kept> kept_;
  std::size_t kept_size_ = 0;
  std::vector<promise<void>> flushes_; // who waits for a connection to flush
  std::string scratch_;
  nats_connection_counts counts_;
};

} // namespace troupe::detail
