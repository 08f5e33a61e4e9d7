#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/http/http_server.hpp>
#include <troupe/net/drainable.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/canceller.hpp>
#include <troupe/runtime/detail/patience.hpp>

namespace troupe {

/// One connection of a server.
///
/// States: waiting for a request -> (head) handling -> (response begun) responding -> (response and
/// body at their ends) waiting; or closing, in which what comes is passed over; or upgraded; or given away
/// to another protocol, and about to end.
///
/// Thread: its loop's.
class http_connection final : public protocol,
                              public drainable,
                              private detail::http_exchange,
                              private producer {
public:
  http_connection(caf::actor_config& cfg, std::shared_ptr<const detail::http_service> service);
  ~http_connection() override;

  void connection_made() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  void drain_requested() override;

  // -- for requests -----------------------------------------------------------------------------

  [[nodiscard]] protocol& carrier() noexcept override { return *this; }
  [[nodiscard]] deferred<std::string> read_body(detail::http_request_state& s, bool all,
                                                std::size_t limit) override;

protected:
  void stop_requested() override;

private:
  enum class state : std::uint8_t { waiting, handling, responding, closing, upgraded, given_away };
  enum class awaited : std::uint8_t { nothing, request, head, body, reader, goodbye };

  bool begins_http2(std::string_view& text);
  void take_over(std::unique_ptr<http_upgraded> next);
  bool give_away();
  void process(std::string_view in);
  void process_kept();
  std::size_t run(std::string_view in);
  bool take_event(std::string_view& in);
  bool may_begin();
  void watch_reading();

  void begin_request();
  void answer(http_reply reply);
  void answered(outcome<http_response> got, std::uint64_t number);
  void refuse(int status, const char* reason);
  void release_request();
  void lend_request();
  void park_request();
  void request_ended();
  void end_politely(bool drain);

  void send(http_response response);
  void append_head(std::string& out, const http_response& r, std::optional<std::uint64_t> length);
  void produce();
  void send_file();
  bool sent_of_file(bytes_view data);
  void read_file_elsewhere(std::size_t size);
  void ask_source();
  void source_gave(outcome<std::string> piece, std::uint64_t number);
  void abort_response(const char* why);
  void response_ended(bool complete);
  void log_access(bool complete);

  // -- producer: what a response streams --
  void resume_producing() override;
  void stop_producing() override;

  // -- time --
  void await(awaited what);
  void look_in(duration after);
  void look();
  [[nodiscard]] std::time_t wall_time() const;

  const std::shared_ptr<const detail::http_service> service_;
  http_request_parser parser_;
  std::shared_ptr<detail::http_request_state> request_; // null between requests
  std::string kept_; // came, and waits until the present request is done
  std::size_t kept_at_ = 0;
  canceller handler_;
  std::unique_ptr<http_body_source> source_;
  std::unique_ptr<http_upgraded> upgraded_;
  protocol_ptr successor_;                // has the connection
  std::shared_ptr<file_descriptor> file_; // shared with the thread that reads it
  std::uint64_t file_at_ = 0;
  std::uint64_t number_ = 0;    // of the request
  std::uint64_t body_left_ = 0; // of a response that streams, if its length is known
  std::uint64_t sent_ = 0;      // of the response's body
  std::size_t discarded_ = 0;
  std::size_t body_seen_ = 0; // since the rate was looked at
  std::uint64_t taken_ = 0;   // by the client, when that was looked at
  time_point due_{};
  delayed_call timer_;
  detail::patience patience_;
  int status_ = 0;
  state state_ = state::waiting;
  awaited awaits_ = awaited::nothing;
  bool may_be_http2_ = false; // so far the preface of HTTP/2 came, or nothing
  bool processing_ = false;
  bool body_done_ = true; // of the request
  bool keep_alive_ = true;
  bool draining_ = false;
  bool refused_ = false; // what came is not understood: it cannot be gone on with
  bool is_head_ = false;
  bool continued_ = false; // 100 Continue was sent
  bool chunked_ = false;
  bool known_length_ = false;
  bool producing_ = false; // registered
  bool source_waits_ = false;
  bool reading_file_ = false;
  bool reading_paused_ = false;
};

} // namespace troupe
