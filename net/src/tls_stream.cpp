// What a stream_transport does in addition when it speaks TLS.

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <troupe/net/detail/stream_transport.hpp>
#include <troupe/net/protocol.hpp>
#include <troupe/net/start_tls.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

#include "tls_layer.hpp"

namespace troupe::detail {

namespace {

std::size_t send_all_of(std::vector<std::byte>& bytes, auto&& send) {
  const iovec all{bytes.data(), bytes.size()};
  return send(std::span{&all, 1});
}

} // namespace

const tls_info* stream_transport::tls() const noexcept {
  return tls_ != nullptr && !handshaking_ ? &tls_->info : nullptr;
}

// -- the beginning ------------------------------------------------------------------------------

void stream_transport::begin_tls(std::unique_ptr<tls_layer> layer) {
  tls_ = std::move(layer);
  handshaking_ = true;
  const auto due = saturating_add(loop_.time(), tls_->engine.settings().handshake_timeout);
  limit_handshake(due, due);
}

// `this` is good while the call is pending: whatever ends the connection cancels it.
void stream_transport::limit_handshake(time_point due, time_point at) {
  tls_->deadline = loop_.timers().add(at, [this, due] {
    auto& t = *tls_;
    if (!t.patience.is_over(loop_, due, t.engine.settings().handshake_timeout))
      return limit_handshake(due, loop_.time());
    fail_tls({errc::timed_out, "the TLS handshake"});
  });
}

void stream_transport::open_tls(const protocol_ptr& p, std::shared_ptr<const tls_settings> settings,
                                const std::string& host, const std::string& destination,
                                unique_function<void(const failure*)> told) {
  try {
    begin_tls(std::make_unique<tls_layer>(loop_, std::move(settings), host, destination));
    auto opening = std::make_shared<tls_opening>(tls_opening{this, p, std::move(told)});
    p->attach_functor([waiting = std::weak_ptr{opening}] {
      if (const auto o = waiting.lock())
        o->transport->fail_tls({errc::cancelled, "the protocol has ended"});
    });
    tls_->opening = std::move(opening);
  } catch (...) { // no memory: nobody knows this object yet, and who called ends the protocol
    if (tls_ != nullptr && tls_->deadline.active())
      tls_->deadline.cancel();
    open_ = false;
    close(true);
    delete this;
    throw;
  }
  p->enter([] {}); // from now on its loop knows it, and ends it with the runtime
  start_reading();
  unseal({}); // a client speaks first
}

void stream_transport::start_tls(std::shared_ptr<const tls_settings> settings,
                                 const std::string& host, bytes_view received) {
  if (tls_ != nullptr)
    throw std::logic_error("start_tls: the connection speaks TLS already");
  if (!open_ || disconnecting_)
    return;
  begin_tls(std::make_unique<tls_layer>(loop_, std::move(settings), host, std::string{}));
  // What was written before goes before the handshake, as it is.
  while (!output_.empty()) {
    iovec piece;
    output_.gather({&piece, 1});
    const auto* const bytes = static_cast<const std::byte*>(piece.iov_base);
    tls_->pending.insert(tls_->pending.end(), bytes, bytes + piece.iov_len);
    output_.consume(piece.iov_len);
  }
  tls_->allowance += tls_->pending.size();
  tls_->stash.assign(received.begin(), received.end());
  wake_tls();
}

void stream_transport::handshake_done() {
  auto& t = *tls_;
  handshaking_ = false;
  if (t.deadline.active())
    t.deadline.cancel();
  if (const auto opening = std::exchange(t.opening, nullptr)) {
    if (!connect(*opening->waiting) && open_)
      fail_tls({errc::cancelled, "the protocol has ended"});
    return opening->told(nullptr);
  }
  wake_tls(); // for output that waited
  if (auto* const listener = dynamic_cast<handshake_listener*>(protocol_))
    protocol_->enter([listener] {
      in_callback("handshake_completed", [listener] { listener->handshake_completed(); });
    });
}

void stream_transport::end_handshake(const failure& reason) {
  auto& t = *tls_;
  if (t.deadline.active())
    t.deadline.cancel();
  if (const auto opening = std::exchange(t.opening, nullptr)) {
    opening->waiting->end_connection(reason);
    opening->told(&reason);
  }
}

// -- output -------------------------------------------------------------------------------------

// Seals `count` bytes of `pieces`, from `skip` on, in as few records as may be.
bool stream_transport::seal(std::span<const iovec> pieces, std::size_t skip, std::size_t count) {
  auto& t = *tls_;
  auto* const record = t.memory.record.get();
  std::size_t held = 0; // in `record`
  for (const auto& piece : pieces) {
    if (skip >= piece.iov_len) {
      skip -= piece.iov_len;
      continue;
    }
    const auto* data = static_cast<const std::byte*>(piece.iov_base) + skip;
    auto size = std::min(piece.iov_len - skip, count);
    skip = 0;
    count -= size;
    while (size > 0) {
      std::size_t used;
      if (held == 0 && (count == 0 || size >= tls_memory::record_bytes)) { // needs no copy
        used = count == 0 ? size : size - size % tls_memory::record_bytes;
        if (!t.engine.write({data, used}))
          return false;
      } else {
        used = std::min(size, tls_memory::record_bytes - held);
        std::memcpy(record + held, data, used);
        held += used;
        if (held == tls_memory::record_bytes && !t.engine.write({record, std::exchange(held, 0)}))
          return false;
      }
      data += used;
      size -= used;
    }
    if (count == 0)
      break;
  }
  return held == 0 || t.engine.write({record, held});
}

// As `send`. What is sealed and not sent counts as not sent; `pending` must be empty before.
std::size_t stream_transport::send_sealed(std::span<const iovec> pieces,
                                          std::error_code& ec) noexcept {
  auto& t = *tls_;
  auto& sink = t.memory.sink;
  std::size_t offered = 0;
  for (const auto& piece : pieces)
    offered += piece.iov_len;
  for (std::size_t done = 0;;) {
    const auto count = std::min(offered - done, tls_memory::batch_bytes);
    if (count == 0)
      return done;
    if (!seal(pieces, done, count)) {
      sink.clear();
      ec = make_error_code(errc::tls_failed);
      return done;
    }
    const auto sent = send_all_of(sink, [&](auto all) { return send(all, ec); });
    if (!ec && sent < sink.size()) {
      t.pending.assign(sink.begin() + static_cast<std::ptrdiff_t>(sent), sink.end());
      t.sealed = count;
    }
    sink.clear();
    if (ec || !t.pending.empty())
      return done;
    done += count;
  }
}

// Sends what the engine has to say by itself: the handshake, alerts.
void stream_transport::send_sink() {
  auto& t = *tls_;
  auto& sink = t.memory.sink;
  if (sink.empty())
    return;
  std::size_t sent = 0;
  if (t.pending.empty() && !blocked_) {
    std::error_code ignored; // met again, and dealt with, when the turn ends
    sent = send_all_of(sink, [&](auto all) { return send(all, ignored); });
  }
  t.pending.insert(t.pending.end(), sink.begin() + static_cast<std::ptrdiff_t>(sent), sink.end());
  sink.clear();
  if (t.pending.size() > t.allowance)
    fail_tls(errc::output_limit_reached);
  else if (!t.pending.empty() && !dirty_) {
    dirty_ = true;
    loop_.at_end_of_turn(*this);
  }
}

// Sends what is sealed already; false if the system does not take all, or the connection broke.
bool stream_transport::send_pending() {
  auto& t = *tls_;
  if (t.pending.empty())
    return true;
  std::error_code ec;
  const auto sent = send_all_of(t.pending, [&](auto all) { return send(all, ec); });
  if (ec) {
    if (t.said_goodbye && disconnecting_) // all but that had been sent
      end(failure{errc::connection_done}, false);
    else
      broken(ec);
    return false;
  }
  t.pending.erase(t.pending.begin(), t.pending.begin() + static_cast<std::ptrdiff_t>(sent));
  if (!t.pending.empty()) {
    blocked_ = true;
    wait_writable();
    return false;
  }
  t.pending = {}; // an idle connection holds no memory for it
  t.allowance = tls_layer::answers_at_most;
  output_.consume(std::exchange(t.sealed, 0));
  return true;
}

// Tells the peer that no more will come; false if the system does not take that yet.
bool stream_transport::say_goodbye() {
  auto& t = *tls_;
  if (handshaking_)
    return true;
  if (!std::exchange(t.said_goodbye, true)) {
    t.engine.close_notify();
    auto& sink = t.memory.sink;
    std::error_code ec;
    const auto sent = sink.empty() ? 0 : send_all_of(sink, [&](auto all) { return send(all, ec); });
    if (!ec)
      t.pending.assign(sink.begin() + static_cast<std::ptrdiff_t>(sent), sink.end());
    sink.clear();
  }
  if (t.pending.empty())
    return true;
  blocked_ = true;
  wait_writable();
  return false;
}

// The protocol has ended: what can be sent at once is, and the end is clean if that is all.
void stream_transport::send_last_words() noexcept {
  auto& t = *tls_;
  std::error_code ec;
  if (!t.pending.empty()) {
    const auto sent = send_all_of(t.pending, [&](auto all) { return send(all, ec); });
    if (ec || sent < t.pending.size())
      return;
    t.pending.clear();
    output_.consume(std::exchange(t.sealed, 0));
  }
  if (handshaking_)
    return;
  std::array<iovec, 64> pieces;
  const auto sent = send_sealed({pieces.data(), output_.gather(pieces)}, ec);
  if (ec || sent < output_.size() || std::exchange(t.said_goodbye, true))
    return;
  t.engine.close_notify();
  if (!t.memory.sink.empty())
    send_all_of(t.memory.sink, [&](auto all) { return send(all, ec); });
  t.memory.sink.clear();
}

// -- input --------------------------------------------------------------------------------------

// Works on what came, behind what waits, for as long as the protocol wants it.
void stream_transport::unseal(bytes_view data) {
  using outcome = tls_engine::outcome;
  auto& t = *tls_;
  auto waiting = std::exchange(t.stash, {});
  if (!waiting.empty()) {
    waiting.insert(waiting.end(), data.begin(), data.end());
    data = waiting;
  }
  t.engine.feed(data);
  while (!t.failed && !t.closed_by_peer && wants_input()) {
    if (handshaking_) {
      if (!handshake())
        break;
      continue;
    }
    const std::span room{t.memory.plain.get(), tls_memory::plain_bytes};
    std::size_t count = 0;
    auto how = outcome::ok;
    for (std::size_t n = 0; count < room.size(); count += n)
      if (how = t.engine.read(room.subspan(count), n); how != outcome::ok)
        break;
    send_sink();
    if (count > 0)
      deliver(room.first(count));
    if (how == outcome::wants_input)
      break;
    if (how == outcome::closed) {
      t.closed_by_peer = true;
      wake_tls();
    } else if (how == outcome::failed) {
      fail_tls(t.engine.reason());
    }
  }
  const auto rest = t.engine.unread();
  t.stash.assign(rest.begin(), rest.end());
  t.engine.feed({});
}

bool stream_transport::handshake() {
  const auto how = tls_->engine.handshake();
  send_sink(); // also the alert that says why it failed
  if (how == tls_engine::outcome::ok)
    handshake_done();
  else if (how != tls_engine::outcome::wants_input)
    fail_tls(tls_->engine.reason());
  return how == tls_engine::outcome::ok;
}

// The network has ended. Returns whether that is the end of a stream that TLS has ended before.
bool stream_transport::read_ended_tls() {
  auto& t = *tls_;
  if (!handshaking_ && !t.closed_by_peer)
    unseal({}); // what waits comes first
  if (!open_ || t.failed)
    return false;
  if (t.closed_by_peer)
    return true;
  if (wants_input()) // else met again by the next read
    end(handshaking_
          ? failure{errc::tls_failed, "the peer closed the connection during the handshake"}
          : failure{errc::tls_truncated},
        false);
  return false;
}

// -- the end of the turn ------------------------------------------------------------------------

// Ends the connection when the turn ends: those who call may be in the middle of using this object.
void stream_transport::fail_tls(failure reason) {
  if (!tls_->failed)
    tls_->failed = std::move(reason);
  wake_tls();
}

void stream_transport::wake_tls() {
  tls_->awake = true;
  if (dirty_)
    return;
  dirty_ = true;
  loop_.at_end_of_turn(*this);
}

// Returns whether there is output to see to.
bool stream_transport::turn_ended_tls() {
  auto& t = *tls_;
  const bool awake = std::exchange(t.awake, false);
  if (t.failed) {
    end(failure{*t.failed}, t.engine.flooded()); // to whom there is nothing to be said
    return false;
  }
  if (awake && !t.closed_by_peer)
    unseal({});
  if (!open_) // it was closed meanwhile, and is deleted when the next turn ends
    return false;
  if (t.closed_by_peer && !read_shut_ && wants_input()) {
    wake_tls(); // for output, and to be alive behind the next line
    read_ended();
    return false;
  }
  if (awake && wants_input())
    start_reading();
  return !blocked_;
}

} // namespace troupe::detail
