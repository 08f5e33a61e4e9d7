#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/http/detail/http_client_exchange.hpp>
#include <troupe/http/detail/http_unpacker.hpp>
#include <troupe/http/http_response_parser.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/net/start_tls.hpp>
#include <troupe/runtime/detail/patience.hpp>

#include "http_pool.hpp"

namespace troupe {

/// One connection of an agent.
///
/// States: (with a proxy: tunnel, TLS) -> idle -> `run`: request under way -> head -> body -> idle; or shared,
/// if it speaks HTTP/2: a multiplexer has all that happens on it.
///
/// Thread: its loop's.
class http_client_connection final : public protocol,
                                     public handshake_listener,
                                     public detail::http_client_exchange,
                                     private detail::http_multiplexer_host,
                                     private producer {
public:
  http_client_connection(caf::actor_config& cfg, std::shared_ptr<detail::http_pool> pool,
                         std::weak_ptr<detail::http_job> job);
  ~http_client_connection() override;

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  void handshake_completed() override;

  // -- for the pool, as this actor --------------------------------------------------------------

  /// Sends the request of `job`, whose place this connection has.
  void run(const detail::http_job_ptr& job);
  void close_idle(); ///< it is in no list any more
  [[nodiscard]] const std::string& origin() const noexcept { return origin_; }

  /// Returns how many requests are under way on one that is shared.
  [[nodiscard]] std::size_t under_way() const noexcept { return under_way_; }
  [[nodiscard]] bool has_room_for_one() const noexcept { return shared_->has_room(); }

  // -- for requests and responses ---------------------------------------------------------------

  void abandon() override;
  void wants_more() override;
  void dropped() noexcept override;

private:
  enum class state : std::uint8_t {
    opening,
    tunnel,
    handshake,
    shared,
    idle,
    request,
    body,
    closing
  };

  // -- for what is shared --
  [[nodiscard]] protocol& carrier() noexcept override { return *this; }
  [[nodiscard]] const http_agent_options& options() const noexcept override {
    return pool_->options();
  }
  void request_ended() override;
  void has_room() override { pool_->next(origin_); }
  void takes_no_more() override {
    no_more_ = true;
    pool_->unshare(*this);
  }
  void start_again(const detail::http_job_ptr& job) override { pool_->start(job); }

  void begin(const detail::http_job_ptr& job);
  void give_up();

  void process(std::string_view in);
  void keep(std::string_view rest);
  void go_on_later();
  bool take_event(std::string_view& in);
  bool tunnel_event(std::string_view& in);
  bool unpack(detail::http_client_body* r, std::string_view& packed);
  void begin_response();
  void deliver();
  void response_ended(bool more_came);
  void broken(const failure& why);

  void write_head(const http_client_request& r);
  void body_gave(outcome<std::string> piece, std::uint64_t number);
  void drop_source();
  void resume_producing() override;
  void stop_producing() override;

  void expect_until(duration after);
  void look();

  const std::shared_ptr<detail::http_pool> pool_;
  std::string origin_;
  std::weak_ptr<detail::http_job> first_; // that it is made for
  detail::http_job_ptr job_;              // until its head is there
  detail::http_job_ptr answered_;         // has its response, and will be given it
  std::shared_ptr<detail::http_client_body> answer_;
  std::unique_ptr<detail::http_multiplexer> shared_;
  std::size_t under_way_ = 0; // of requests on that
  http_response_parser parser_;
  std::weak_ptr<detail::http_client_body> response_;
  std::unique_ptr<detail::http_unpacker> unpacker_;
  std::string packed_; // of the body, and waits for room
  std::string kept_;   // came behind that
  std::unique_ptr<http_body_source> source_;
  std::uint64_t number_ = 0; // of the request
  std::uint64_t left_ = 0;   // of what the source gives
  std::uint64_t taken_ = 0;  // by the server, when that was looked at
  std::size_t discarded_ = 0;
  delayed_call timer_;
  time_point due_{};
  detail::patience patience_;
  state state_ = state::opening;
  bool no_more_ = false; // requests, if it is shared
  bool probes_ = false;  // others wait to hear which version it speaks
  bool processing_ = false;
  bool used_ = false;      // for a request before this one
  bool heard_ = false;     // something came of this response
  bool producing_ = false; // registered
  bool source_waits_ = false;
  bool chunked_ = false;
  bool known_length_ = false;
  bool keep_alive_ = false;
  bool reading_paused_ = false;
  bool goes_on_later_ = false; // with unpacking
};

} // namespace troupe
