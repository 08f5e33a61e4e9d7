#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/net/drainable.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/delayed_call.hpp>
#include <troupe/runtime/detail/patience.hpp>
#include <troupe/websocket/detail/message_transport.hpp>
#include <troupe/websocket/websocket_options.hpp>
#include <troupe/websocket/websocket_parser.hpp>

namespace troupe {

namespace detail {
class accepted_websocket;
class websocket_client_factory;
struct websocket_attempt;
} // namespace detail

/// One end of a WebSocket: a protocol whose messages are text or binary.
///
/// It is a protocol as any other: an actor on its connection's loop, in which no lock is needed. Its
/// transport is one of messages: each write is one message, `lose_connection` closes with the whole
/// handshake, a producer is paused when the peer does not take what it is sent. So whatever writes to
/// transports, such as a `topic`, sends messages here; what is published is framed once for all WebSockets
/// of a loop that have subscribed.
///
/// States: open (from `websocket_opened`) -> closing (a close frame was sent) -> ended
/// (`websocket_closed`). Pings are answered by themselves. A silent peer is pinged, and given up if it stays
/// silent. What breaks the protocol is refused with a close frame that says why.
///
/// ```cpp
/// class echo : public troupe::websocket_protocol {
/// public:
///   using websocket_protocol::websocket_protocol;
///   void text_received(std::string_view text) override { send_text(text); }
///   void binary_received(troupe::bytes_view data) override { send_binary(data); }
/// };
/// ```
///
/// On a transport that a test or a factory gives it, and no handshake has been made, it is the server's end
/// of an open WebSocket: tests deliver frames.
///
/// Thread: its loop's. Source: RFC 6455, RFC 7692
class websocket_protocol : public protocol, public drainable {
public:
  using super = protocol;

  explicit websocket_protocol(caf::actor_config& cfg);
  ~websocket_protocol() override;

  // -- what to override -------------------------------------------------------------------------

  /// The handshake is done: the place for a greeting.
  virtual void websocket_opened() {}

  /// A message of text came, which is UTF-8. It is good for this call only. Closes with 1003 unless
  /// overridden.
  virtual void text_received(std::string_view text);

  /// A message of bytes came. It is good for this call only. Closes with 1003 unless overridden.
  virtual void binary_received(bytes_view data);

  /// A ping came, and is answered; a pong came.
  virtual void ping_received(bytes_view) {}
  virtual void pong_received(bytes_view) {}

  /// The WebSocket has ended. Called exactly once if `websocket_opened` was; the actor ends with it.
  virtual void websocket_closed(const websocket_close& how) { static_cast<void>(how); }

  // -- what it does -----------------------------------------------------------------------------

  /// Sends a message of text.
  ///
  /// \returns false, and nothing is sent, if it is not open
  /// \throws std::invalid_argument if `text` is not UTF-8
  bool send_text(std::string_view text);

  /// Sends a message of bytes. Returns as `send_text` does.
  bool send_binary(bytes_view data);

  /// Sends a message that stays shared: as `transport().write(message)`, framed once for all who write
  /// the same bytes one after the other.
  bool send_shared(const shared_bytes& message);

  /// Sends a ping with up to 125 bytes.
  ///
  /// \throws std::invalid_argument if there are more
  bool send_ping(bytes_view payload = {});

  /// Says that this side closes; once the other side has answered, the connection ends. Messages that were
  /// sent before arrive; what comes meanwhile is passed over. Without effect if it closes already.
  ///
  /// \param code  1000, or 3000 to 4999 for a meaning of one's own
  /// \param reason  for the peer's log; cut at 123 bytes, and left out if it is not UTF-8
  /// \throws std::invalid_argument if no close frame may have this code
  void close(std::uint16_t code = websocket_code::normal, std::string_view reason = {});

  /// Says what `transport().write` sends, and a topic: text if it is UTF-8, and bytes otherwise, as it is at
  /// first; or bytes always.
  void set_writes_binary(bool on) noexcept { writes_binary_ = on; }

  /// Tells whether messages can be sent.
  [[nodiscard]] bool is_open() const noexcept { return state_ == state::open; }

  /// Returns the subprotocol that both sides agreed on, or nothing.
  [[nodiscard]] const std::string& subprotocol() const noexcept;

  /// Tells whether both sides take packed messages.
  [[nodiscard]] bool is_deflated() const noexcept { return deflated_; }

  /// Returns the connection as one of messages. As `protocol::transport`.
  [[nodiscard]] detail::message_transport& transport() const {
    static_cast<void>(super::transport()); // throws where there is none
    return messages_;
  }

  // -- protocol's side --------------------------------------------------------------------------

  void make_connection(troupe::transport& t) override;
  void connection_made() final;
  void data_received(bytes_view data) final;
  void connection_lost(const failure& reason) final;
  void drain_requested() final; ///< closes with 1001

protected:
  void stop_requested() override;
  void last_words() final;

private:
  friend class detail::message_transport;
  friend class detail::accepted_websocket;
  friend class detail::websocket_client_factory;

  enum class state : std::uint8_t { unopened, connecting, open, closing, closed, failed };
  enum class awaited : std::uint8_t { nothing, handshake, sign_of_life, pong, close, fin, goodbye };

  void set_up(std::shared_ptr<const websocket_options> options, std::string subprotocol,
              std::optional<int> deflate_bits);
  void set_host(detail::websocket_host& host) noexcept { messages_.set_host(host); }
  void set_deflate_bits(std::optional<int> bits) noexcept;

  [[nodiscard]] bool stopped() const noexcept;
  void set_up_client(std::shared_ptr<detail::websocket_attempt> attempt);
  void shake_hands(bytes_view in);
  void open();
  void process(bytes_view in);
  void deliver_kept();
  void deliver_later();
  void take_event(websocket_parser::event what);
  void answer_ping(bytes_view payload);
  void send_pending_pong();
  void retry_pong();
  void close_received();
  void refuse(std::uint16_t code, const char* why);
  void pass_on(const shared_bytes& message);
  void pass_on_apart(const shared_bytes& message);
  bool send_message(websocket_opcode opcode, std::string_view payload);
  [[nodiscard]] std::uint8_t bits_for(std::size_t size) const noexcept;
  void send_frame(websocket_opcode opcode, std::string_view payload, bool packed = false);
  void send_close(std::uint16_t code, std::string_view reason);
  void set_subprotocol(std::string name);
  void await(awaited what, duration after);
  void look_in(duration after);
  void look();
  [[nodiscard]] const websocket_options& options() const noexcept;

  // What `pass_on` looks at comes first, beside what it looks at of the base: in a room of thousands it is memory
  // that takes the time.
  mutable detail::message_transport messages_;
  std::unique_ptr<std::string> pending_pong_; // while the peer takes nothing
  std::uint8_t deflate_bits_ = 0;             // with which messages are packed; 0 if none are
  state state_ = state::unopened;
  bool writes_binary_ = false;
  bool client_ = false;
  awaited awaits_ = awaited::nothing;
  bool heard_ = false; // since it was looked at
  bool processing_ = false;
  bool delivers_later_ = false;
  bool retries_pong_ = false; // a call is due that looks whether the peer takes it
  bool deflated_ = false;     // both sides take packed messages
  bool opened_ = false;
  bool leaving_ = false; // the runtime stops
  websocket_parser parser_;
  std::shared_ptr<const websocket_options> options_;   // null: the default ones
  std::unique_ptr<const std::string> subprotocol_;     // null: none
  std::shared_ptr<detail::websocket_attempt> attempt_; // a client's, until it is open
  std::unique_ptr<std::string> kept_;                  // what came, and waits to be read
  std::unique_ptr<websocket_close> how_;               // it ends, as far as that is known
  time_point due_{};
  delayed_call timer_;
  detail::patience patience_;
};

inline void detail::message_transport::write(const shared_bytes& data) {
  owner_.pass_on(data);
}

} // namespace troupe
