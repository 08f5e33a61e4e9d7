#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <caf/actor_control_block.hpp>

#include <troupe/http/detail/http_exchange.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/detail/patience.hpp>
#include <troupe/runtime/event_loop.hpp>

#include "http2_server_session.hpp"
#include "http2_stream.hpp"

namespace troupe {

/// One connection of HTTP/2: what has taken over a connection of a server.
///
/// What the session tells is put in lists, and done once the session has returned (`work`): handlers,
/// sources and whoever waits for a body are never called in the middle of it.
///
/// Thread: its loop's.
class http2_connection final : public http_upgraded,
                               private http2_server_events,
                               private producer,
                               private end_of_turn {
public:
  http2_connection(protocol& carrier, std::shared_ptr<const detail::http_service> service,
                   const http2_options& options);
  ~http2_connection() override;

  void taken_over(transport& t) override;
  void data_received(bytes_view data) override;
  void connection_lost(const failure& reason) override;
  void stop_requested(transport& t) override;

  // -- for streams ------------------------------------------------------------------------------

  [[nodiscard]] protocol& carrier() const noexcept { return carrier_; }
  [[nodiscard]] deferred<std::string> read_body(http2_stream& s, bool all, std::size_t limit);

  // -- for streams that are taken over ----------------------------------------------------------

  void touch(http2_stream& s);                     ///< it is to be looked at, in `work`
  void wake(http2_stream& s);                      ///< the same, at the end of the turn
  void resume(http2_stream& s);                    ///< it has something to send
  void reset(http2_stream& s, std::uint32_t code); ///< soon
  void consume(http2_stream& s, std::size_t size); ///< of what came: it is read
  void left(http2_stream& s);                      ///< nobody is there any more, but its last words
  void push();                                     ///< sends what can be sent at once

private:
  // -- what the session tells --
  void head_received(std::int32_t stream, http_request_head&& head, bool ended,
                     const http2_refusal& refusal) override;
  void data_received(void* user, std::string_view data) override;
  void message_ended(void* user, http_fields&& trailers) override;
  std::optional<std::ptrdiff_t> body_wanted(void* user, std::span<std::uint8_t> into, bool& end,
                                            bool& trailers) override;
  void message_sent(void* user) override;
  void stream_closed(void* user, std::uint32_t code) override;
  void ping_answered() override;
  void goodbye_sent(std::uint32_t code, std::string_view reason) override;

  // -- work --
  void work();
  bool step();
  void flush();
  void work_soon();
  void turn_ended() noexcept override;
  void begin_request(http2_stream& s);
  void look_at(http2_stream& s);
  void hand_body(http2_stream& s);
  void settle(http2_stream& s);
  void end_stream(http2_stream& s);
  void bury(std::unique_ptr<http2_tunnel> t);
  void drop_streams(const failure& why);

  // -- responses --
  void answer(http2_stream& s, http_reply reply);
  void answered(http2_stream& s, outcome<http_response> got);
  void respond(http2_stream& s, http_response r);
  void open_tunnel(http2_stream& s, http_response r);
  void feed(http2_stream& s);
  void gave(http2_stream& s, outcome<std::string> piece);
  void abort_response(http2_stream& s, const char* why);
  void add_trailers(http2_stream& s);
  void log_access(const http2_stream& s);
  [[nodiscard]] std::time_t wall_time() const;
  [[nodiscard]] const std::string& date();

  // -- the end, and time --
  void drain();
  void say_end();
  void close_politely();
  void note(std::string_view reason);
  void arm(time_point due);
  void arm_after(time_point since, duration wait);
  void look();
  void check_streams(time_point at);
  [[nodiscard]] time_point now() const;

  // -- producer: told when the client has taken what was sent --
  void resume_producing() override;
  void stop_producing() override;

  protocol& carrier_;
  transport* transport_ = nullptr; // while there is a connection
  const std::shared_ptr<const detail::http_service> service_;
  const http2_options options_;
  http2_server_session session_;
  std::unordered_map<std::int32_t, std::unique_ptr<http2_stream>> streams_;
  std::vector<http2_stream*> fresh_;                  // whose handler is to be called
  std::vector<http2_stream*> touched_;                // whose request's body got on
  std::vector<http2_stream*> hungry_;                 // whose response's body wants its next piece
  std::vector<http2_stream*> doing_;                  // the list that is being worked through
  std::vector<http2_stream*> ended_;                  // that are closed
  std::vector<std::unique_ptr<http2_tunnel>> buried_; // of these: somebody may still refer to them
  caf::strong_actor_ptr alive_; // the actor, while the end of the turn is awaited
  std::shared_ptr<detail::http_request_state> spare_; // of a request that nobody kept
  std::string date_;
  std::time_t date_of_ = -1;
  std::uint64_t requests_ = 0;
  std::uint64_t taken_ = 0; // by the client, when that was looked at
  std::size_t discarded_ = 0;
  std::size_t row_ = 0;                  // bytes that were sent in this turn
  time_point earned_at_{};               // when the session was given frames
  std::optional<time_point> idle_since_; // without a stream
  time_point head_since_{};              // when the head under way began
  time_point taken_at_{};                // when the client last took something of what is stuck
  time_point closing_since_{};
  time_point drain_since_{};
  time_point due_{}; // of the timer
  delayed_call timer_;
  detail::patience patience_;
  bool busy_ = false;    // in `work`, or in the session
  bool in_head_ = false; // the session was in a head when it last returned
  bool stuck_ = false;   // the client does not take what was sent: we are a producer
  bool goes_on_ = false; // in the next turn
  bool draining_ = false;
  bool end_said_ = false; // which requests will be answered
  bool closing_ = false;  // what comes is passed over
};

} // namespace troupe
