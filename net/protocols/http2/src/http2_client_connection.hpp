#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <troupe/http/detail/http_client_exchange.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/patience.hpp>

#include "http2_client_session.hpp"
#include "http2_client_stream.hpp"

namespace troupe {

/// One connection of an agent that speaks HTTP/2.
///
/// What the session tells is put in a list, and done once the session has returned (`work`): who waits for a
/// response or a body, and sources, are never called in the middle of it.
///
/// Thread: its loop's, as its carrier.
class http2_client_connection final : public detail::http_multiplexer,
                                      private http2_client_events,
                                      private producer {
public:
  http2_client_connection(detail::http_multiplexer_host& host, const http2_client_options& options);
  ~http2_client_connection() override;

  void begin() override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  bool has_room() const noexcept override;
  void run(const detail::http_job_ptr& job) override;
  void close() override;

  // -- for streams, in whoever's turn -----------------------------------------------------------

  [[nodiscard]] protocol& carrier() const noexcept { return carrier_; }
  void abandon(const http2_client_stream_ptr& s);
  void go_on(const http2_client_stream_ptr& s);
  [[nodiscard]] http2_client_stream_ptr stream(std::int32_t id) const;

private:
  // -- what the session tells --
  bool has_head(void* user) const noexcept override;
  void informed(void* user) override;
  void head_received(void* user, http_response_head&& head, bool ended, const char* wrong) override;
  void data_received(void* user, std::string_view data) override;
  void message_ended(void* user, http_fields&& trailers) override;
  std::optional<std::ptrdiff_t> body_wanted(void* user, std::span<std::uint8_t> into, bool& end,
                                            bool& trailers) override;
  void message_sent(void* user) override;
  void reset_received(void* user) override;
  void stream_closed(void* user, std::uint32_t code) override;
  void ping_answered() override {}
  void goodbye_sent(std::uint32_t code, std::string_view reason) override;
  void goodbye_received() override { leaving_ = true; }
  void settings_received() override { more_room_ = true; }

  // -- work --
  void work();
  bool step();
  void flush();
  void finish();
  void touch(http2_client_stream& s);
  void settle(const http2_client_stream_ptr& s);
  void fill(const http2_client_stream_ptr& s, detail::http_client_body& r);
  bool unpack(const http2_client_stream_ptr& s, detail::http_client_body& r);
  void give_back(http2_client_stream& s, const detail::http_client_body* r);
  void feed(const http2_client_stream_ptr& s);
  void gave(const http2_client_stream_ptr& s, outcome<std::string> piece);
  void refuse(http2_client_stream& s, const char* why);
  void end_stream(const http2_client_stream_ptr& s);
  void send_again(http2_client_stream& s);
  [[nodiscard]] static failure reason_of(const http2_client_stream& s);
  void fail_stream(http2_client_stream& s, const failure& why);
  void drop(http2_client_stream& s, failure why);
  void leave();
  void be_dead();
  void drop_streams(const failure& why);

  // -- time --
  [[nodiscard]] time_point now() const;
  void arm(time_point due);
  void arm_after(time_point since, duration wait);
  [[nodiscard]] bool is_due(time_point since, duration wait, time_point at);
  void look();
  void check_stream(http2_client_stream& s, time_point at);

  // -- producer: told when the server has taken what was sent --
  void resume_producing() override;
  void stop_producing() override { stuck_ = false; }

  detail::http_multiplexer_host& host_;
  protocol& carrier_;
  transport* transport_ = nullptr; // while there is a connection
  const http2_client_options options_;
  http2_client_session session_;
  std::unordered_map<std::int32_t, http2_client_stream_ptr> streams_;
  std::vector<http2_client_stream_ptr> touched_;
  std::vector<http2_client_stream_ptr> doing_; // the list that is being worked through
  std::size_t open_ = 0;                       // streams that count
  std::size_t allowed_;                        // of them, as far as we have learned by refusals
  std::uint64_t answers_ = 0;                  // heads that came
  failure wrong_;          // why the session has ended, if the server is at fault
  std::size_t row_ = 0;    // bytes that were sent in this turn
  time_point earned_at_{}; // when the session was given frames
  time_point heard_at_{};  // when something came
  time_point idle_since_{};
  time_point head_since_{}; // when the head under way began
  std::optional<time_point> pinged_at_;
  time_point due_{}; // of the timer
  delayed_call timer_;
  detail::patience patience_;
  bool busy_ = false;      // in `work`, or in the session
  bool in_head_ = false;   // the session was in a head when it last returned
  bool stuck_ = false;     // the server does not take what was sent: we are a producer
  bool goes_on_ = false;   // in the next turn
  bool more_room_ = false; // the settings came
  bool leaving_ = false;   // no more requests
  bool left_ = false;      // and the host knows
  bool over_ = false;      // what comes is passed over
};

} // namespace troupe
