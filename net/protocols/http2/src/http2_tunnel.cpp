#include "http2_tunnel.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/net/protocol.hpp>
#include <troupe/runtime/detail/uncaught.hpp>
#include <troupe/runtime/errc.hpp>
#include <troupe/runtime/event_loop.hpp>
#include <troupe/runtime/loop_scheduler.hpp>

#include "http2_connection.hpp"

namespace troupe {

namespace {

constexpr std::size_t most_per_call = 64 * 1024;   // of `data_received`
constexpr std::size_t most_last_words = 64 * 1024; // of a protocol that has ended

// Those of a loop; a queue that is empty refers to none of its chunks.
detail::chunk_pool& chunks_of_this_thread() {
  thread_local detail::chunk_pool pool;
  return pool;
}

} // namespace

http2_tunnel::http2_tunnel(http2_connection& of, http2_stream& s, transport& carrying) noexcept
  : connection_(of), stream_(s), carrying_(carrying), output_(chunks_of_this_thread()) {}

http2_tunnel::~http2_tunnel() = default;

void http2_tunnel::expect_here(const char* function) const {
  connection_.carrier().loop().expect_here(function, "send the protocol a message, or use run_as");
}

// Calls what has taken the stream over, whose failure ends the stream, and no other one.
template <class F>
void http2_tunnel::call(const char* name, F&& fn) {
  try {
    fn();
  } catch (...) {
    auto& carrier = connection_.carrier();
    detail::log_exception(carrier.loop().scheduler().logger(), carrier.log_name(), name);
    if (open_)
      abort_connection();
  }
}

void http2_tunnel::take_over(std::unique_ptr<http_upgraded> next) {
  next_ = std::move(next);
  open_ = true;
  call("taken_over", [this] { next_->taken_over(*this); });
  if (open_ && (!input_.empty() || input_ended_))
    connection_.touch(stream_);
}

void http2_tunnel::stop_requested() {
  if (open_)
    call("stop_requested", [this] { next_->stop_requested(*this); });
}

// -- output -------------------------------------------------------------------------------------

bool http2_tunnel::takes_output() {
  if (!accepts_output()) {
    ++refused_;
    return false;
  }
  if (output_.size()
      >= limits_.hard) // what waits for the end of the turn tells nothing of the client
    connection_.push();
  if (output_.size() < limits_.hard)
    return true;
  ++refused_;
  if (limits_.policy == overflow_policy::close) {
    overflowed_ = true;
    abort_connection();
  } else {
    connection_.carrier().loop().count_dropped_write();
  }
  return false;
}

void http2_tunnel::written() {
  output_changed();
  if (output_.size() > limits_.high && producer_ != nullptr && streaming_ && !producer_paused_) {
    producer_paused_ = true;
    producer_->pause_producing();
  }
}

// There is more to be sent, or nothing will be.
void http2_tunnel::output_changed() {
  connection_.resume(stream_);
}

void http2_tunnel::write(bytes_view data) {
  expect_here("write");
  if (data.empty() || !takes_output())
    return;
  written_ += data.size();
  output_.append(data);
  written();
}

void http2_tunnel::write(const shared_bytes& data) {
  expect_here("write");
  if (data.empty() || !takes_output())
    return;
  written_ += data.size();
  output_.append(data);
  written();
}

void http2_tunnel::write_sequence(std::span<const bytes_view> pieces) {
  expect_here("write_sequence");
  std::size_t size = 0;
  for (const auto piece : pieces)
    size += piece.size();
  if (size == 0 || !takes_output())
    return;
  written_ += size;
  for (const auto piece : pieces)
    if (!piece.empty())
      output_.append(piece);
  written();
}

bool http2_tunnel::take(std::span<std::uint8_t> into, std::size_t& size, bool& end) {
  size = 0;
  while (size < into.size() && !output_.empty()) {
    std::array<iovec, 16> pieces;
    const auto used = output_.gather(pieces);
    std::size_t taken = 0;
    for (std::size_t i = 0; i < used; ++i) {
      const auto some = std::min(pieces[i].iov_len, into.size() - size - taken);
      std::memcpy(into.data() + size + taken, pieces[i].iov_base, some);
      taken += some;
    }
    output_.consume(taken);
    size += taken;
  }
  end = output_.empty() && !aborting_ && (write_shut_ || (disconnecting_ && producer_ == nullptr));
  if (producer_ != nullptr && open_)
    connection_.touch(stream_);
  return size > 0 || end;
}

void http2_tunnel::feed_producer() {
  if (producer_ == nullptr || !open_ || aborting_)
    return;
  if (streaming_ ? !producer_paused_ || output_.size() > limits_.low : !output_.empty())
    return;
  producer_paused_ = false; // before the call, which may fill the output again
  call("resume_producing", [this] { producer_->resume_producing(); });
}

void http2_tunnel::register_producer(producer& p, bool streaming) {
  expect_here("register_producer");
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

void http2_tunnel::unregister_producer() {
  expect_here("unregister_producer");
  producer_ = nullptr;
  if (open_ && disconnecting_)
    output_changed();
}

void http2_tunnel::stop_producer() {
  if (auto* const p = std::exchange(producer_, nullptr))
    call("stop_producing", [p] { p->stop_producing(); });
}

// -- input --------------------------------------------------------------------------------------

void http2_tunnel::pause_producing() {
  expect_here("pause_producing");
  paused_ = true;
}

void http2_tunnel::resume_producing() {
  expect_here("resume_producing");
  if (std::exchange(paused_, false) && open_)
    connection_.wake(stream_);
}

void http2_tunnel::hold_input(bool stopped) {
  held_ = stopped;
  if (!stopped && open_)
    connection_.wake(stream_);
}

void http2_tunnel::look() {
  if (!open_)
    return;
  if (aborting_)
    return end({});
  if (!stream_.sent_all)
    feed_producer();
  deliver();
  if (open_ && stream_.sent_all && disconnecting_)
    end(failure{errc::connection_done});
}

// Hands on what came, as long as it is wanted, and then its end.
void http2_tunnel::deliver() {
  if (!input_.empty() && wants_input()) {
    const auto all = std::exchange(input_, {});
    std::size_t at = 0;
    while (at < all.size() && wants_input()) {
      const auto piece = std::string_view{all}.substr(at, most_per_call);
      at += piece.size();
      received_ += piece.size();
      call("data_received", [&] { next_->data_received(as_bytes(piece)); });
    }
    connection_.consume(stream_, at);
    if (at < all.size())
      input_.insert(0, all, at);
  }
  if (!input_.empty() || !input_ended_ || !wants_input())
    return;
  // The client may still read: it gets what was written, and then the stream ends.
  stop_producer();
  if (!open_ || aborting_)
    return;
  disconnecting_ = true;
  output_changed();
}

// -- the end ------------------------------------------------------------------------------------

void http2_tunnel::lose_connection() {
  expect_here("lose_connection");
  if (!open_ || disconnecting_)
    return;
  disconnecting_ = true;
  output_changed();
  connection_.wake(stream_); // which may have sent its end already
}

void http2_tunnel::abort_connection() {
  expect_here("abort_connection");
  if (!open_ || aborting_)
    return;
  aborting_ = disconnecting_ = true;
  output_.clear();
  connection_.reset(stream_, NGHTTP2_CANCEL);
  connection_.wake(stream_);
}

void http2_tunnel::lose_write_connection() {
  expect_here("lose_write_connection");
  if (!open_ || write_shut_)
    return;
  write_shut_ = true;
  output_changed();
}

void http2_tunnel::end(const failure& reason) {
  if (!open_)
    return;
  open_ = false;
  disconnecting_ = true;
  output_.clear();
  stop_producer();
  const auto why = overflowed_ ? failure{errc::output_limit_reached}
                   : aborting_ ? failure{errc::connection_aborted}
                               : reason;
  call("connection_lost", [&] { next_->connection_lost(why); });
}

// Who has ended tells nobody when its last words are sent: the connection's time-outs are for them.
void http2_tunnel::protocol_ended() {
  if (!open_)
    return;
  open_ = false;
  disconnecting_ = true;
  if (!aborting_ && output_.size() > most_last_words) {
    output_.clear();
    connection_.reset(stream_, NGHTTP2_CANCEL);
  }
  connection_.left(stream_);
  stop_producer(); // last, as it is a user's code
}

} // namespace troupe
