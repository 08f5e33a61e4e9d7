#include <troupe/websocket/websocket_protocol.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/net/protocol_wrapper.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/websocket/detail/utf8_checker.hpp>

#include "websocket_attempt.hpp"
#include "websocket_deflater.hpp"

namespace troupe {

namespace {

constexpr duration goodbye = std::chrono::seconds(2);
constexpr std::size_t most_unsent = 64 * 1024; // with more, pongs wait

// What was framed last, for the next one who writes the same: it is held until then, so an address
// that is found again is the same message.
struct framed {
  shared_bytes message;
  shared_bytes frame;
  bool binary = false;
};

// What is framed as text and not packed, once more, where it is found fast: this has no destructor.
struct framed_text {
  const std::byte* message;
  const shared_bytes* frame; // null: there is none
};
thread_local constinit framed_text last_text{};

// One for each number of bits, as those who can unpack and those who cannot are in the same room.
struct last_frames {
  ~last_frames() { last_text = {}; }
  std::array<framed, 16> by_bits;
};

const shared_bytes& frame_of(const shared_bytes& message, bool binary, std::uint8_t deflate_bits) {
  thread_local last_frames all;
  auto& last = all.by_bits.at(deflate_bits);
  if (last.message.data() != message.data() || last.binary != binary || last.frame.empty()) {
    const bool text = !binary && detail::is_utf8(message.text());
    const auto opcode = text ? websocket_opcode::text : websocket_opcode::binary;
    std::optional<std::string> packed;
    if (deflate_bits != 0)
      packed = detail::deflate_message(message.text(), deflate_bits);
    last = {message,
            make_websocket_frame(opcode, packed ? *packed : message.text(), packed.has_value()),
            binary};
    if (deflate_bits == 0)
      last_text = binary ? framed_text{} : framed_text{last.message.data(), &last.frame};
  }
  return last.frame;
}

} // namespace

websocket_protocol::websocket_protocol(caf::actor_config& cfg)
  : super(cfg), messages_(*this), parser_(websocket_parser::peer::client) {}

websocket_protocol::~websocket_protocol() = default;

const websocket_options& websocket_protocol::options() const noexcept {
  static const websocket_options defaults;
  return options_ ? *options_ : defaults;
}

const std::string& websocket_protocol::subprotocol() const noexcept {
  static const std::string none;
  return subprotocol_ ? *subprotocol_ : none;
}

void websocket_protocol::set_subprotocol(std::string name) {
  if (!name.empty())
    subprotocol_ = std::make_unique<const std::string>(std::move(name));
}

void websocket_protocol::set_up(std::shared_ptr<const websocket_options> options,
                                std::string subprotocol, std::optional<int> deflate_bits) {
  options_ = std::move(options);
  set_subprotocol(std::move(subprotocol));
  set_deflate_bits(deflate_bits);
}

void websocket_protocol::set_deflate_bits(std::optional<int> bits) noexcept {
  deflated_ = bits.has_value();
  deflate_bits_ = static_cast<std::uint8_t>(bits.value_or(0));
  parser_.set_deflated(deflated_);
}

void websocket_protocol::set_up_client(std::shared_ptr<detail::websocket_attempt> attempt) {
  attempt_ = std::move(attempt);
  options_ = attempt_->options;
  client_ = true;
  parser_.set_peer(websocket_parser::peer::server);
}

// Policies stand between the frames and the network, and see what the network sees.
void websocket_protocol::make_connection(troupe::transport& t) {
  if (wrapper() != nullptr) {
    messages_.attach(*wrapper());
    super::make_connection(t);
  } else {
    messages_.attach(t);
    super::make_connection(messages_);
  }
}

void websocket_protocol::connection_made() {
  parser_.set_limits(options().limits);
  if (!attempt_)
    return open();
  attempt_->socket = this;
  state_ = state::connecting;
  if (!attempt_->wanted())
    return messages_.below().abort_connection();
  await(awaited::handshake, attempt_->timeout);
  messages_.below().write(attempt_->handshake.to_send());
}

void websocket_protocol::shake_hands(bytes_view in) {
  const auto what = attempt_->handshake.next(in);
  if (what == websocket_handshake::event::more)
    return;
  const auto a = std::exchange(attempt_, nullptr);
  a->socket = nullptr;
  if (what == websocket_handshake::event::refused) {
    state_ = state::failed;
    messages_.below().abort_connection();
    const bool answered = a->handshake.status() != 0 && a->handshake.status() != 101;
    return a->fail({answered ? errc::connection_refused : errc::malformed_input,
                    "WebSocket: " + a->handshake.reason()});
  }
  set_subprotocol(a->handshake.subprotocol());
  set_deflate_bits(a->handshake.deflate_bits());
  open();
  if (!connected())
    return a->fail(errc::connection_lost);
  a->succeed(connected_protocol{caf::strong_actor_ptr{ctrl()}});
  if (!in.empty() && connected())
    data_received(in);
}

void websocket_protocol::open() {
  state_ = state::open;
  opened_ = true;
  await(awaited::sign_of_life, options().ping_interval);
  detail::in_callback("websocket_opened", [this] { websocket_opened(); });
}

void websocket_protocol::connection_lost(const failure& reason) {
  if (timer_.active())
    timer_.cancel();
  const auto before = std::exchange(state_, state::closed);
  if (const auto a = std::exchange(attempt_, nullptr)) {
    a->socket = nullptr;
    a->fail(reason.check(errc::connection_done)
              ? failure{errc::connection_lost, "the server hung up during the handshake"}
              : reason);
  }
  if (before <= state::connecting || !opened_)
    return;
  kept_.reset();
  websocket_close how;
  if (const auto known = std::move(how_))
    how = std::move(*known);
  if (!how.reason)
    how.reason = reason;
  websocket_closed(how);
}

void websocket_protocol::drain_requested() {
  leaving_ = true;
  if (state_ <= state::connecting)
    return messages_.below().lose_connection(); // nobody to say goodbye to
  close(websocket_code::going_away);
}

void websocket_protocol::stop_requested() {
  leaving_ = true;
  if (connected())
    close(websocket_code::going_away);
  if (wrapper() == nullptr || state_ <= state::connecting)
    super::stop_requested(); // which only notes the reason, if it is closing
}

void websocket_protocol::text_received(std::string_view) {
  close(websocket_code::unsupported, "text is not taken here");
}

void websocket_protocol::binary_received(bytes_view) {
  close(websocket_code::unsupported, "binary messages are not taken here");
}

// -- what comes ---------------------------------------------------------------------------------

bool websocket_protocol::stopped() const noexcept {
  return !connected() || getf(is_shutting_down_flag) || state_ >= state::closed;
}

void websocket_protocol::data_received(bytes_view data) {
  heard_ = true;
  if (stopped())
    return;
  if (attempt_)
    return shake_hands(data);
  if (kept_ || processing_) {
    if (!kept_)
      kept_ = std::make_unique<std::string>();
    *kept_ += as_text(data);
    return;
  }
  process(data);
}

void websocket_protocol::process(bytes_view in) {
  bool later = false;
  {
    struct guard {
      bool& on;
      ~guard() { on = false; }
    } const done{processing_ = true};
    while (!stopped() && !messages_.paused()) {
      const auto what = parser_.next(in);
      if (what == websocket_parser::event::more)
        break;
      take_event(what);
      // Few bytes may unpack to many: others get their turn meanwhile.
      later = deflated_ && (what == websocket_parser::event::unpacking || !in.empty())
              && loop().should_yield();
      if (later)
        break;
    }
  }
  parser_.release();
  if (stopped())
    return;
  if (!in.empty() || later) {
    if (!kept_)
      kept_ = std::make_unique<std::string>();
    kept_->insert(0, as_text(in));
  }
  if (later && !messages_.paused()) {
    messages_.below().pause_producing();
    deliver_later();
  }
  send_pending_pong();
}

// Reading goes on once all that was kept is delivered.
void websocket_protocol::deliver_kept() {
  if (stopped() || messages_.paused() || !kept_)
    return;
  const auto owned = std::move(kept_);
  process(as_bytes(*owned));
  if (connected() && !messages_.paused() && !kept_)
    messages_.below().resume_producing();
}

void websocket_protocol::deliver_later() {
  if (std::exchange(delivers_later_, true))
    return;
  call_later(duration::zero(), [this] {
    delivers_later_ = false;
    deliver_kept();
  });
}

void websocket_protocol::take_event(websocket_parser::event what) {
  switch (what) {
  case websocket_parser::event::text:
    if (is_open())
      detail::in_callback("text_received", [this] { text_received(as_text(parser_.payload())); });
    break;
  case websocket_parser::event::binary:
    if (is_open())
      detail::in_callback("binary_received", [this] { binary_received(parser_.payload()); });
    break;
  case websocket_parser::event::ping:
    if (is_open()) {
      answer_ping(parser_.payload());
      detail::in_callback("ping_received", [this] { ping_received(parser_.payload()); });
    }
    break;
  case websocket_parser::event::pong:
    if (is_open())
      detail::in_callback("pong_received", [this] { pong_received(parser_.payload()); });
    break;
  case websocket_parser::event::close:
    close_received();
    break;
  case websocket_parser::event::refused:
    refuse(parser_.code(), parser_.reason());
    break;
  case websocket_parser::event::more:
  case websocket_parser::event::unpacking:
    break;
  }
}

// To a peer that takes nothing only the latest ping is answered, once it does.
void websocket_protocol::answer_ping(bytes_view payload) {
  if (messages_.unsent() <= most_unsent) {
    pending_pong_.reset();
    return send_frame(websocket_opcode::pong, as_text(payload));
  }
  pending_pong_ = std::make_unique<std::string>(as_text(payload));
  retry_pong();
}

void websocket_protocol::retry_pong() {
  if (std::exchange(retries_pong_, true))
    return;
  call_later(std::chrono::milliseconds(50), [this] {
    retries_pong_ = false;
    send_pending_pong();
    if (pending_pong_ && is_open())
      retry_pong();
  });
}

void websocket_protocol::send_pending_pong() {
  if (pending_pong_ && is_open() && messages_.unsent() <= most_unsent)
    send_frame(websocket_opcode::pong, *std::exchange(pending_pong_, nullptr));
}

void websocket_protocol::close_received() {
  const auto code = parser_.code();
  if (!how_)
    how_ = std::make_unique<websocket_close>();
  how_->code = code;
  how_->text = as_text(parser_.payload());
  how_->clean = true;
  if (is_open())
    send_close(code == websocket_code::none ? 0 : code, {});
  state_ = state::closed;
  messages_.stop_producer();
  if (client_) // the server closes first
    return await(awaited::fin, goodbye);
  await(awaited::close, options().close_timeout);
  messages_.below().lose_connection();
}

// What comes behind is passed over until the peer has read why, and closes.
void websocket_protocol::refuse(std::uint16_t code, const char* why) {
  if (auto& log = loop().scheduler().logger(); log.should_log(spdlog::level::debug))
    log.debug("[{}] closes with {}: {}", log_name(), code, why);
  const failure reason{
    code == websocket_code::too_big ? errc::message_too_long : errc::malformed_input, why};
  if (is_open())
    send_close(code, why);
  else if (!how_)
    how_ = std::make_unique<websocket_close>();
  how_->reason = reason;
  state_ = state::failed;
  messages_.stop_producer();
  if (wrapper() == nullptr)
    super::lose_connection(reason); // only notes the reason, as it is closing
  await(awaited::goodbye, goodbye);
  messages_.below().lose_write_connection();
}

// -- what goes ----------------------------------------------------------------------------------

void websocket_protocol::send_frame(websocket_opcode opcode, std::string_view payload,
                                    bool packed) {
  if (client_) {
    std::string frame;
    append_websocket_frame(frame, opcode, payload, random_websocket_mask(), true, packed);
    return messages_.below().write(frame);
  }
  const websocket_frame_head head{opcode, payload.size(), nullptr, true, packed};
  const std::array<bytes_view, 2> pieces{as_bytes(head.view()), as_bytes(payload)};
  messages_.below().write_sequence(std::span<const bytes_view>{pieces});
}

// Returns the bits with which a message of this size is packed; 0 if it is not.
inline std::uint8_t websocket_protocol::bits_for(std::size_t size) const noexcept {
  return deflate_bits_ == 0 || size < options().deflate_from ? std::uint8_t{0} : deflate_bits_;
}

bool websocket_protocol::send_message(websocket_opcode opcode, std::string_view payload) {
  if (messages_.disconnecting()) {
    messages_.count_refused();
    return false;
  }
  if (pending_pong_)
    send_pending_pong();
  if (const auto bits = bits_for(payload.size()))
    if (const auto packed = detail::deflate_message(payload, bits)) {
      send_frame(opcode, *packed, true);
      return true;
    }
  send_frame(opcode, payload);
  return true;
}

bool websocket_protocol::send_text(std::string_view text) {
  if (!detail::is_utf8(text))
    throw std::invalid_argument("send_text: the text is not UTF-8");
  return connected() && send_message(websocket_opcode::text, text);
}

bool websocket_protocol::send_binary(bytes_view data) {
  return connected() && send_message(websocket_opcode::binary, as_text(data));
}

bool websocket_protocol::send_shared(const shared_bytes& message) {
  if (!connected())
    return false;
  if (messages_.disconnecting()) {
    messages_.count_refused();
    return false;
  }
  pass_on(message);
  return true;
}

// For all but the first of a large room, this is all that there is to do.
void websocket_protocol::pass_on(const shared_bytes& message) {
  const bool plain =
    is_open() && connected() && !pending_pong_ && !client_ && !writes_binary_ && deflate_bits_ == 0;
  if (plain && last_text.frame != nullptr && last_text.message == message.data()) [[likely]]
    return messages_.below().write(*last_text.frame);
  pass_on_apart(message);
}

void websocket_protocol::pass_on_apart(const shared_bytes& message) {
  if (!connected())
    return;
  if (!is_open())
    return messages_.count_refused();
  send_pending_pong();
  if (client_) // each of its frames has a mask of its own
    return messages_.write(message.view());
  messages_.below().write(frame_of(message, writes_binary_, bits_for(message.size())));
}

bool websocket_protocol::send_ping(bytes_view payload) {
  if (payload.size() > 125)
    throw std::invalid_argument("send_ping: more than 125 bytes");
  if (!connected() || messages_.disconnecting())
    return false;
  send_frame(websocket_opcode::ping, as_text(payload));
  return true;
}

void websocket_protocol::send_close(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (code != 0) {
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xff);
    payload += fitting_close_reason(reason);
  }
  if (!how_)
    how_ = std::make_unique<websocket_close>();
  how_->sent = code == 0 ? websocket_code::none : code;
  send_frame(websocket_opcode::close, payload);
}

void websocket_protocol::close(std::uint16_t code, std::string_view reason) {
  if (!is_sendable_code(code))
    throw std::invalid_argument("close: no close frame may have the code " + std::to_string(code));
  if (!is_open() || !connected())
    return;
  send_close(code, reason);
  state_ = state::closing;
  messages_.stop_producer();
  await(awaited::close, options().close_timeout);
  if (messages_.paused()) // else the answer is never read
    messages_.resume_producing();
}

// The actor ends though the WebSocket is open.
void websocket_protocol::last_words() {
  if (!is_open() || !messages_.connected())
    return;
  state_ = state::closing;
  const auto why = quit_reason();
  send_close(why.check(errc::connection_done)   ? websocket_code::normal
             : why.check(errc::runtime_stopped) ? websocket_code::going_away
                                                : websocket_code::internal_error,
             {});
}

// -- time ---------------------------------------------------------------------------------------

void websocket_protocol::await(awaited what, duration after) {
  awaits_ = what;
  if (after <= duration::zero()) {
    awaits_ = awaited::nothing;
    return;
  }
  due_ = saturating_add(loop().time(), after);
  if (!timer_.active())
    look_in(after);
  else if (timer_.get_time() > due_)
    timer_.reset(after);
}

// Not by `call_later`, for whose list of calls each idle WebSocket would pay. `this` is good while it is
// pending: the end of the connection cancels it.
void websocket_protocol::look_in(duration after) {
  timer_ = loop().timers().add(saturating_add(loop().time(), after),
                               [this] { enter("a time-out", [this] { look(); }); });
}

void websocket_protocol::look() {
  if (awaits_ == awaited::nothing || !connected())
    return;
  const auto now = loop().time();
  // After a pause of this loop the peer may have sent what only has not been read yet.
  if (now < due_ || !patience_.is_over(loop(), due_, std::chrono::seconds(1))) {
    const auto left = std::max<duration>(due_ - now, std::chrono::milliseconds(1));
    return look_in(left);
  }
  const auto& o = options();
  send_pending_pong();
  const bool alive = std::exchange(heard_, false) || messages_.paused();
  switch (awaits_) {
  case awaited::nothing:
    return;
  case awaited::handshake:
    if (const auto a = std::exchange(attempt_, nullptr)) {
      a->socket = nullptr;
      state_ = state::failed;
      messages_.below().abort_connection();
      a->fail({errc::timed_out, "the handshake of the WebSocket"});
    }
    return;
  case awaited::fin:
    await(awaited::close, o.close_timeout);
    return messages_.below().lose_connection();
  case awaited::sign_of_life:
    if (alive)
      return await(awaited::sign_of_life, o.ping_interval);
    send_frame(websocket_opcode::ping, {});
    return await(o.pong_timeout > duration::zero() ? awaited::pong : awaited::sign_of_life,
                 o.pong_timeout > duration::zero() ? o.pong_timeout : o.ping_interval);
  case awaited::pong:
    if (alive)
      return await(awaited::sign_of_life, o.ping_interval);
    if (!how_)
      how_ = std::make_unique<websocket_close>();
    how_->reason = errc::idle_timed_out;
    return messages_.below().abort_connection();
  case awaited::close:
  case awaited::goodbye:
    return messages_.below().abort_connection();
  }
}

} // namespace troupe
