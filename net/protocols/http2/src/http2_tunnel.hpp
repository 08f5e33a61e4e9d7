#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <troupe/http/http_response.hpp>
#include <troupe/net/detail/output_queue.hpp>
#include <troupe/net/transport.hpp>

namespace troupe {

class http2_connection;
class http2_stream;

/// A stream as the transport of what has taken it over: END_STREAM is the end of one direction, a reset
/// that of both at once, and the windows are what a network's buffers are.
///
/// States: waiting for the response -> (`take_over`) open -> over; what came before waits. It is not over
/// inside the calls of a `transport`, but in the connection's work, at the end of the turn at the latest.
///
/// Thread: the connection's. Lifetime: its stream's, and then to the end of the turn.
/// Source: RFC 8441, 5
class http2_tunnel final : public transport {
public:
  http2_tunnel(http2_connection& of, http2_stream& s, transport& carrying) noexcept;
  ~http2_tunnel() override;

  // -- for the connection -----------------------------------------------------------------------

  /// Gives the stream to `next`; the head of the response is submitted.
  void take_over(std::unique_ptr<http_upgraded> next);

  [[nodiscard]] bool taken() const noexcept { return next_ != nullptr; }
  [[nodiscard]] bool over() const noexcept { return taken() && !open_; }

  void received(std::string_view data) { input_ += data; } ///< is handed on by `look`
  void read_ended() noexcept { input_ended_ = true; }
  [[nodiscard]] bool input_ended() const noexcept { return input_ended_; }

  /// Takes some of what is to be sent. \returns whether there is anything; `end` says that nothing follows
  [[nodiscard]] bool take(std::span<std::uint8_t> into, std::size_t& size, bool& end);

  void look();                     ///< does what became possible
  void end(const failure& reason); ///< the stream has ended
  void stop_requested();

  // -- transport --------------------------------------------------------------------------------

  using transport::write;
  void write(bytes_view data) override;
  void write(const shared_bytes& data) override;
  using transport::write_sequence;
  void write_sequence(std::span<const bytes_view> pieces) override; ///< all of it, or nothing
  void lose_connection() override;
  void abort_connection() override;
  void lose_write_connection() override;
  void register_producer(producer& p, bool streaming) override;
  void unregister_producer() override;
  void pause_producing() override;
  void resume_producing() override;
  void hold_input(bool stopped) override;
  void set_output_limits(const output_limits& limits) override { limits_ = limits; }
  [[nodiscard]] std::size_t unsent() const noexcept override { return output_.size(); }
  [[nodiscard]] std::uint64_t refused_writes() const noexcept override { return refused_; }
  [[nodiscard]] std::uint64_t bytes_received() const noexcept override { return received_; }
  [[nodiscard]] std::uint64_t bytes_written() const noexcept override { return written_; }
  void protocol_ended() override;
  [[nodiscard]] net_address get_peer() const override { return carrying_.get_peer(); }
  [[nodiscard]] net_address get_host() const override { return carrying_.get_host(); }
  [[nodiscard]] std::optional<peer_credentials> get_peer_credentials() const override {
    return carrying_.get_peer_credentials();
  }
  [[nodiscard]] bool connected() const noexcept override { return open_; }
  [[nodiscard]] bool disconnecting() const noexcept override { return disconnecting_; }
  [[nodiscard]] const tls_info* tls() const noexcept override { return carrying_.tls(); }

private:
  [[nodiscard]] bool wants_input() const noexcept {
    return open_ && !paused_ && !held_ && !disconnecting_;
  }
  [[nodiscard]] bool accepts_output() const noexcept {
    return open_ && !aborting_ && !write_shut_ && (!disconnecting_ || producer_ != nullptr);
  }
  void expect_here(const char* function) const;
  [[nodiscard]] bool takes_output();
  void written();
  void output_changed();
  void feed_producer();
  void deliver();
  void stop_producer();
  template <class F>
  void call(const char* name, F&& fn);

  http2_connection& connection_;
  http2_stream& stream_; // while it is open
  transport& carrying_;
  std::unique_ptr<http_upgraded> next_;
  producer* producer_ = nullptr;
  std::string input_; // came, and is not handed on
  detail::output_queue output_;
  output_limits limits_;
  std::uint64_t received_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t refused_ = 0;
  bool open_ = false;
  bool disconnecting_ = false;
  bool aborting_ = false;
  bool overflowed_ = false;
  bool write_shut_ = false;
  bool input_ended_ = false;
  bool paused_ = false;
  bool held_ = false;
  bool streaming_ = false; // the producer pushes
  bool producer_paused_ = false;
};

} // namespace troupe
