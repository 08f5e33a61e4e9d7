#include <troupe/net/detail/stream_transport.hpp>

#include <array>
#include <stdexcept>

#include <troupe/net/detail/stream_layer.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

#include "loop_memory.hpp"

namespace troupe::detail {

namespace {

constexpr const char* to_its_protocol = "send the protocol a message, or use run_as";

// A write of this size is tried at once, without the copy that collecting it would take.
constexpr std::size_t worth_sending_directly = 16 * 1024;

constexpr std::size_t pieces_per_call = 64;

// Apart, so that what finds itself in its thread has no register less for it.
[[gnu::cold, gnu::noinline]] void in_another_thread(const event_loop& loop, const char* function) {
  loop.expect_here(function, to_its_protocol);
}

void expect_here(const event_loop& loop, const char* function) {
  if (!loop.is_here()) [[unlikely]]
    in_another_thread(loop, function);
}

} // namespace

stream_transport::stream_transport(event_loop& loop, chunk_pool& pool, const output_limits& limits)
  : loop_(loop), output_(pool), limits_(limits) {}

stream_transport::~stream_transport() = default;

void stream_transport::open(protocol& p) {
  if (!connect(p)) {
    if (open_)
      end({}, false);
    return;
  }
  if (wants_input())
    start_reading();
}

void stream_transport::add_layer(std::unique_ptr<stream_layer> layer) noexcept {
  layer_ = std::move(layer);
  handshaking_ = true;
}

void stream_transport::open_layer() {
  start_reading();
  layer_->received({}); // a client speaks first
}

void stream_transport::discard() noexcept {
  open_ = false;
  close(true);
  delete this;
}

const tls_info* stream_transport::tls() const noexcept {
  return layer_ != nullptr && !handshaking_ ? layer_->info() : nullptr;
}

bool stream_transport::serve(protocol& next) {
  if (!open_ || handshaking_)
    return false;
  protocol_ = &next;
  half_closeable_ = dynamic_cast<half_closeable*>(&next);
  return true;
}

bool stream_transport::connect(protocol& p) {
  protocol_ = &p;
  half_closeable_ = dynamic_cast<half_closeable*>(&p);
  p.enter("connection_made", [&] { p.make_connection(*this); });
  if (protocol_ != nullptr && p.connected())
    return true;
  protocol_ = nullptr; // it ended, or had ended before
  return false;
}

// -- output -------------------------------------------------------------------------------------

inline bool stream_transport::takes_output() {
  const bool plain = open_ && !aborting_ && !write_shut_ && !disconnecting_;
  return (plain && output_.size() < limits_.hard) || takes_output_still();
}

bool stream_transport::takes_output_still() {
  if (!accepts_output()) {
    ++refused_;
    return false;
  }
  if (output_.size() >= limits_.hard)
    send_early();
  if (output_.size() < limits_.hard)
    return true;
  ++refused_;
  if (limits_.policy == overflow_policy::close) {
    overflowed_ = true;
    abort_connection();
  } else {
    loop_.count_dropped_write();
  }
  return false;
}

// The limit is for peers that do not read: what waits for the end of the turn tells nothing of them.
void stream_transport::send_early() {
  if (!sends_at_once() || output_.size() < worth_sending_directly)
    return;
  std::error_code ec; // an error is met again, and dealt with, when the turn ends
  if (!send_output(ec) && !ec) {
    blocked_ = true;
    wait_writable();
  }
}

// Sends what waits first, in one call; false if not all of that was taken.
bool stream_transport::send_output(std::error_code& ec) {
  std::size_t offered = 0;
  std::size_t sent = 0;
  if (layer_ == nullptr && output_.is_one_piece()) [[likely]] {
    const auto piece = output_.front();
    offered = piece.iov_len;
    sent = send({&piece, 1}, ec);
  } else {
    std::array<iovec, pieces_per_call> pieces;
    const auto used = output_.gather(pieces);
    for (std::size_t i = 0; i < used; ++i)
      offered += pieces[i].iov_len;
    sent =
      layer_ != nullptr ? layer_->send({pieces.data(), used}, ec) : send({pieces.data(), used}, ec);
  }
  output_.consume(sent);
  return sent == offered;
}

inline void stream_transport::written() {
  if (!dirty_)
    mark_dirty();
  if (output_.size() > limits_.high && producer_ != nullptr && streaming_ && !producer_paused_)
    [[unlikely]] {
    producer_paused_ = true;
    producer_->pause_producing();
  }
}

bool stream_transport::sends_at_once() const noexcept {
  return !blocked_ && !handshaking_ && (layer_ == nullptr || !layer_->has_pending());
}

void stream_transport::write(bytes_view data) {
  expect_here(loop_, "write");
  if (data.empty() || !takes_output())
    return;
  bytes_written_ += data.size();
  if (data.size() >= worth_sending_directly && sends_at_once()) {
    std::array<iovec, pieces_per_call> pieces;
    auto used = output_.gather({pieces.data(), pieces.size() - 1});
    pieces[used++] = {const_cast<std::byte*>(data.data()), data.size()};
    std::error_code ec; // an error is met again, and dealt with, when the turn ends
    const auto before = output_.size();
    const auto sent = used == pieces.size() ? 0
                      : layer_ != nullptr   ? layer_->send({pieces.data(), used}, ec)
                                            : send({pieces.data(), used}, ec);
    output_.consume(std::min(sent, before));
    if (sent > before)
      data = data.subspan(sent - before);
  }
  if (!data.empty())
    output_.append(data);
  written();
}

void stream_transport::write(const shared_bytes& data) {
  expect_here(loop_, "write");
  if (data.empty() || !takes_output())
    return;
  bytes_written_ += data.size();
  output_.append(data);
  written();
}

void stream_transport::write_sequence(std::span<const bytes_view> pieces) {
  expect_here(loop_, "write_sequence");
  if (!takes_output())
    return;
  for (const auto piece : pieces)
    if (!piece.empty()) {
      bytes_written_ += piece.size();
      output_.append(piece);
    }
  written();
}

void stream_transport::mark_dirty() {
  if (dirty_ || (blocked_ && !aborting_))
    return;
  dirty_ = true;
  loop_.at_end_of_turn(*this);
}

void stream_transport::turn_ended() noexcept {
  dirty_ = false;
  if (!open_)
    return release();
  if (overflowed_ && !asio::use_service<loop_memory>(loop_.io()).may_drop(loop_)) {
    dirty_ = true; // in the next turn
    return loop_.at_end_of_turn(*this);
  }
  if (aborting_)
    return end(
      overflowed_ ? failure{errc::output_limit_reached} : failure{errc::connection_aborted}, true);
  if (layer_ == nullptr ? !blocked_ : layer_->turn_ended())
    flush();
}

void stream_transport::writable() {
  blocked_ = false;
  if (open_ && !aborting_)
    flush();
}

void stream_transport::flush() {
  if (layer_ != nullptr && !layer_->send_pending())
    return;
  while (!output_.empty() && !handshaking_) {
    std::error_code ec;
    const bool all = send_output(ec);
    if (ec)
      return broken(ec);
    if (!all) {
      blocked_ = true;
      wait_writable();
      break;
    }
  }
  drained();
}

// Called whenever output has been sent: does what waited for that.
void stream_transport::drained() {
  if (producer_ != nullptr) {
    const bool wanted =
      streaming_ ? producer_paused_ && output_.size() <= limits_.low : output_.empty();
    if (wanted) {
      producer_paused_ = false; // before the call, which may fill the output again
      protocol_->enter("resume_producing", [this] {
        in_callback("resume_producing", [this] { producer_->resume_producing(); });
      });
      if (!open_ || aborting_)
        return;
    }
  }
  if (!output_.empty())
    return;
  if (disconnecting_ && producer_ == nullptr) {
    if (layer_ != nullptr && !layer_->say_goodbye())
      return;
    return end(failure{errc::connection_done}, false);
  }
  if (write_shut_ && !write_shut_done_ && !handshaking_) {
    if (layer_ == nullptr)
      shut_write();
    else if (!layer_->say_goodbye())
      return;
    write_shut_done_ = true;
    if (half_closeable_ != nullptr)
      protocol_->enter("write_connection_lost", [this] {
        in_callback("write_connection_lost", [this] { half_closeable_->write_connection_lost(); });
      });
    if (open_ && read_shut_)
      end(failure{errc::connection_done}, false);
  }
}

// -- input --------------------------------------------------------------------------------------

void stream_transport::received(bytes_view data) {
  if (layer_ != nullptr)
    return layer_->received(data);
  deliver(data);
}

void stream_transport::deliver(bytes_view data) {
  bytes_received_ += data.size();
  protocol_->enter("data_received", [this, data] {
    in_callback("data_received", [this, data] { protocol_->receive(data); });
  });
}

void stream_transport::read_ended() {
  if (layer_ != nullptr && !layer_->read_ended())
    return;
  read_shut_ = true;
  if (half_closeable_ != nullptr && !disconnecting_) {
    protocol_->enter("read_connection_lost", [this] {
      in_callback("read_connection_lost", [this] { half_closeable_->read_connection_lost(); });
    });
    if (open_ && write_shut_done_)
      end(failure{errc::connection_done}, false);
    return;
  }
  // The peer may still read: it gets what was written, and then the connection ends.
  if (producer_ != nullptr) {
    protocol_->enter("stop_producing", [this] { stop_producer(); });
    if (!open_ || aborting_) // it threw, quit or aborted, which closes the connection with that
      return;
  }
  disconnecting_ = true;
  if (output_.empty() && layer_ == nullptr)
    return end(failure{errc::connection_done}, false);
  mark_dirty();
}

void stream_transport::broken(const std::error_code& error) {
  end(failure{errc::connection_lost, error.message()}, false);
}

void stream_transport::pause_producing() {
  loop_.expect_here("pause_producing", to_its_protocol);
  paused_ = true;
}

void stream_transport::resume_producing() {
  loop_.expect_here("resume_producing", to_its_protocol);
  if (!paused_)
    return;
  paused_ = false;
  read_on();
}

void stream_transport::hold_input(bool stopped) {
  held_ = stopped;
  if (!stopped)
    read_on();
}

void stream_transport::read_on() {
  if (!wants_input() || protocol_ == nullptr)
    return;
  if (layer_ != nullptr && !handshaking_)
    return layer_->wake(); // what waits comes first
  start_reading();
}

// -- producers ----------------------------------------------------------------------------------

void stream_transport::register_producer(producer& p, bool streaming) {
  loop_.expect_here("register_producer", to_its_protocol);
  if (producer_ != nullptr)
    throw std::logic_error("register_producer: a producer is registered already");
  if (!open_ || aborting_)
    return p.stop_producing();
  producer_ = &p;
  streaming_ = streaming;
  producer_paused_ = false;
  if (!streaming)
    p.resume_producing();
}

void stream_transport::unregister_producer() {
  loop_.expect_here("unregister_producer", to_its_protocol);
  producer_ = nullptr;
  if (disconnecting_)
    mark_dirty();
}

void stream_transport::stop_producer() {
  if (auto* const p = std::exchange(producer_, nullptr))
    in_callback("stop_producing", [p] { p->stop_producing(); });
}

// -- the end ------------------------------------------------------------------------------------

void stream_transport::lose_connection() {
  loop_.expect_here("lose_connection", to_its_protocol);
  if (!open_ || disconnecting_)
    return;
  disconnecting_ = true;
  mark_dirty();
}

void stream_transport::abort_connection() {
  loop_.expect_here("abort_connection", to_its_protocol);
  if (!open_ || aborting_)
    return;
  aborting_ = disconnecting_ = true;
  output_.clear();
  mark_dirty();
}

void stream_transport::lose_write_connection() {
  loop_.expect_here("lose_write_connection", to_its_protocol);
  if (!open_ || write_shut_)
    return;
  write_shut_ = true;
  mark_dirty();
}

void stream_transport::end(const failure& reason, bool reset) {
  if (!open_)
    return;
  open_ = false;
  disconnecting_ = true;
  output_.clear();
  close(reset);
  if (layer_ != nullptr)
    layer_->end_handshake(reason);
  if (auto* const p = std::exchange(protocol_, nullptr)) {
    const caf::strong_actor_ptr alive{p->ctrl()}; // stop_producing may end it
    if (producer_ != nullptr)
      p->enter("stop_producing", [this] { stop_producer(); });
    p->end_connection(reason);
  }
  release();
}

void stream_transport::protocol_ended() {
  protocol_ = nullptr;
  half_closeable_ = nullptr;
  if (!open_)
    return;
  if (layer_ != nullptr) {
    if (!aborting_ && !blocked_)
      layer_->send_last_words();
    layer_->end_handshake({});
  } else if (!aborting_ && !blocked_ && !output_.empty()) {
    std::array<iovec, pieces_per_call> pieces;
    std::error_code ignored; // nobody is left to tell
    send({pieces.data(), output_.gather(pieces)}, ignored);
  }
  open_ = false;
  disconnecting_ = true;
  output_.clear();
  close(aborting_);
  // The protocol still refers to this object while it hears of the end.
  if (!dirty_) {
    dirty_ = true;
    loop_.at_end_of_turn(*this);
  }
  stop_producer(); // last, because it may throw
}

void stream_transport::release() {
  if (!open_ && !dirty_ && protocol_ == nullptr && !busy())
    delete this;
}

} // namespace troupe::detail
