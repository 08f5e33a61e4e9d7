#include "tls_layer.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>

#include <troupe/net/protocol.hpp>
#include <troupe/net/start_tls.hpp>
#include <troupe/runtime/detail/uncaught.hpp>

namespace troupe::detail {

namespace {

std::size_t send_all_of(std::vector<std::byte>& bytes, auto&& send) {
  const iovec all{bytes.data(), bytes.size()};
  return send(std::span{&all, 1});
}

} // namespace

// -- the beginning ------------------------------------------------------------------------------

tls_layer::tls_layer(stream_transport& transport, std::shared_ptr<const tls_settings> settings,
                     const std::string& host, const std::string& destination)
  : stream_layer(transport), memory_(asio::use_service<tls_memory>(loop().io())),
    engine_(std::move(settings), memory_.sink, host, destination) {
  const auto due = saturating_add(loop().time(), engine_.settings().handshake_timeout);
  limit_handshake(due, due);
}

tls_layer::~tls_layer() {
  if (deadline_.active())
    deadline_.cancel();
}

// `this` is good while the call is pending: whatever ends the connection cancels it.
void tls_layer::limit_handshake(time_point due, time_point at) {
  deadline_ = loop().timers().add(at, [this, due] {
    if (!patience_.is_over(loop(), due, engine_.settings().handshake_timeout))
      return limit_handshake(due, loop().time());
    fail({errc::timed_out, "the TLS handshake"});
  });
}

void tls_layer::open(stream_transport& t, const protocol_ptr& p,
                     std::shared_ptr<const tls_settings> settings, const std::string& host,
                     const std::string& destination, transport_kind::opened told) {
  try {
    auto layer = std::make_unique<tls_layer>(t, std::move(settings), host, destination);
    auto opening = std::make_shared<tls_opening>(tls_opening{layer.get(), p, std::move(told)});
    p->attach_functor([waiting = std::weak_ptr{opening}] {
      if (const auto o = waiting.lock())
        o->layer->fail({errc::cancelled, "the protocol has ended"});
    });
    layer->opening_ = std::move(opening);
    t.add_layer(std::move(layer));
  } catch (...) { // no memory: nobody knows the transport yet, and who called ends the protocol
    t.discard();
    throw;
  }
  p->enter([] {}); // from now on its loop knows it, and ends it with the runtime
  t.open_layer();
}

void tls_layer::start(stream_transport& t, std::shared_ptr<const tls_settings> settings,
                      const std::string& host, bytes_view received) {
  if (t.layer() != nullptr)
    throw std::logic_error("start_tls: the connection speaks TLS already");
  if (!t.connected() || t.disconnecting())
    return;
  auto made = std::make_unique<tls_layer>(t, std::move(settings), host, std::string{});
  auto& layer = *made;
  t.add_layer(std::move(made));
  // What was written before goes before the handshake, as it is.
  auto& output = layer.output();
  while (!output.empty()) {
    iovec piece;
    output.gather({&piece, 1});
    const auto* const bytes = static_cast<const std::byte*>(piece.iov_base);
    layer.pending_.insert(layer.pending_.end(), bytes, bytes + piece.iov_len);
    output.consume(piece.iov_len);
  }
  layer.allowance_ += layer.pending_.size();
  layer.stash_.assign(received.begin(), received.end());
  layer.wake();
}

void tls_layer::handshake_done() {
  end_of_handshake();
  if (deadline_.active())
    deadline_.cancel();
  if (const auto opening = std::exchange(opening_, nullptr)) {
    if (!connect(*opening->waiting) && is_open())
      fail({errc::cancelled, "the protocol has ended"});
    return opening->told(nullptr);
  }
  wake(); // for output that waited
  if (auto* const listener = dynamic_cast<handshake_listener*>(served()))
    served()->enter([listener] {
      in_callback("handshake_completed", [listener] { listener->handshake_completed(); });
    });
}

void tls_layer::end_handshake(const failure& reason) {
  if (deadline_.active())
    deadline_.cancel();
  if (const auto opening = std::exchange(opening_, nullptr)) {
    opening->waiting->end_connection(reason);
    opening->told(&reason);
  }
}

// -- output -------------------------------------------------------------------------------------

// Seals `count` bytes of `pieces`, from `skip` on, in as few records as may be.
bool tls_layer::seal(std::span<const iovec> pieces, std::size_t skip, std::size_t count) {
  auto* const record = memory_.record.get();
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
        if (!engine_.write({data, used}))
          return false;
      } else {
        used = std::min(size, tls_memory::record_bytes - held);
        std::memcpy(record + held, data, used);
        held += used;
        if (held == tls_memory::record_bytes && !engine_.write({record, std::exchange(held, 0)}))
          return false;
      }
      data += used;
      size -= used;
    }
    if (count == 0)
      break;
  }
  return held == 0 || engine_.write({record, held});
}

// As `send`. What is sealed and not sent counts as not sent; `pending` must be empty before.
std::size_t tls_layer::send(std::span<const iovec> pieces, std::error_code& ec) noexcept {
  auto& sink = memory_.sink;
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
    const auto sent = send_all_of(sink, [&](auto all) { return send_raw(all, ec); });
    if (!ec && sent < sink.size()) {
      pending_.assign(sink.begin() + static_cast<std::ptrdiff_t>(sent), sink.end());
      sealed_ = count;
    }
    sink.clear();
    if (ec || !pending_.empty())
      return done;
    done += count;
  }
}

// Sends what the engine has to say by itself: the handshake, alerts.
void tls_layer::send_sink() {
  auto& sink = memory_.sink;
  if (sink.empty())
    return;
  std::size_t sent = 0;
  if (pending_.empty() && !blocked()) {
    std::error_code ignored; // met again, and dealt with, when the turn ends
    sent = send_all_of(sink, [&](auto all) { return send_raw(all, ignored); });
  }
  pending_.insert(pending_.end(), sink.begin() + static_cast<std::ptrdiff_t>(sent), sink.end());
  sink.clear();
  if (pending_.size() > allowance_)
    fail(errc::output_limit_reached);
  else if (!pending_.empty())
    at_end_of_turn();
}

// Sends what is sealed already; false if the system does not take all, or the connection broke.
bool tls_layer::send_pending() {
  if (pending_.empty())
    return true;
  std::error_code ec;
  const auto sent = send_all_of(pending_, [&](auto all) { return send_raw(all, ec); });
  if (ec) {
    if (said_goodbye_ && disconnecting()) // all but that had been sent
      end(failure{errc::connection_done}, false);
    else
      broken(ec);
    return false;
  }
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (!pending_.empty()) {
    wait_writable();
    return false;
  }
  pending_ = {}; // an idle connection holds no memory for it
  allowance_ = tls_layer::answers_at_most;
  output().consume(std::exchange(sealed_, 0));
  return true;
}

// Tells the peer that no more will come; false if the system does not take that yet.
bool tls_layer::say_goodbye() {
  if (handshaking())
    return true;
  if (!std::exchange(said_goodbye_, true)) {
    engine_.close_notify();
    auto& sink = memory_.sink;
    std::error_code ec;
    const auto sent =
      sink.empty() ? 0 : send_all_of(sink, [&](auto all) { return send_raw(all, ec); });
    if (!ec)
      pending_.assign(sink.begin() + static_cast<std::ptrdiff_t>(sent), sink.end());
    sink.clear();
  }
  if (pending_.empty())
    return true;
  wait_writable();
  return false;
}

// The protocol has ended: what can be sent at once is, and the end is clean if that is all.
void tls_layer::send_last_words() noexcept {
  std::error_code ec;
  if (!pending_.empty()) {
    const auto sent = send_all_of(pending_, [&](auto all) { return send_raw(all, ec); });
    if (ec || sent < pending_.size())
      return;
    pending_.clear();
    output().consume(std::exchange(sealed_, 0));
  }
  if (handshaking())
    return;
  std::array<iovec, 64> pieces;
  const auto sent = send({pieces.data(), output().gather(pieces)}, ec);
  if (ec || sent < output().size() || std::exchange(said_goodbye_, true))
    return;
  engine_.close_notify();
  if (!memory_.sink.empty())
    send_all_of(memory_.sink, [&](auto all) { return send_raw(all, ec); });
  memory_.sink.clear();
}

// -- input --------------------------------------------------------------------------------------

// Works on what came, behind what waits, for as long as the protocol wants it.
void tls_layer::received(bytes_view data) {
  using outcome = tls_engine::outcome;
  auto waiting = std::exchange(stash_, {});
  if (!waiting.empty()) {
    waiting.insert(waiting.end(), data.begin(), data.end());
    data = waiting;
  }
  engine_.feed(data);
  while (!failed_ && !closed_by_peer_ && wants_input()) {
    if (handshaking()) {
      if (!handshake())
        break;
      continue;
    }
    const std::span room{memory_.plain.get(), tls_memory::plain_bytes};
    std::size_t count = 0;
    auto how = outcome::ok;
    for (std::size_t n = 0; count < room.size(); count += n)
      if (how = engine_.read(room.subspan(count), n); how != outcome::ok)
        break;
    send_sink();
    if (count > 0)
      deliver(room.first(count));
    if (how == outcome::wants_input)
      break;
    if (how == outcome::closed) {
      closed_by_peer_ = true;
      wake();
    } else if (how == outcome::failed) {
      fail(engine_.reason());
    }
  }
  const auto rest = engine_.unread();
  stash_.assign(rest.begin(), rest.end());
  engine_.feed({});
}

bool tls_layer::handshake() {
  const auto how = engine_.handshake();
  send_sink(); // also the alert that says why it failed
  if (how == tls_engine::outcome::ok)
    handshake_done();
  else if (how != tls_engine::outcome::wants_input)
    fail(engine_.reason());
  return how == tls_engine::outcome::ok;
}

// The network has ended. Returns whether that is the end of a stream that TLS has ended before.
bool tls_layer::read_ended() {
  if (!handshaking() && !closed_by_peer_)
    received({}); // what waits comes first
  if (!is_open() || failed_)
    return false;
  if (closed_by_peer_)
    return true;
  if (wants_input()) // else met again by the next read
    end(handshaking()
          ? failure{errc::tls_failed, "the peer closed the connection during the handshake"}
          : failure{errc::tls_truncated},
        false);
  return false;
}

// -- the end of the turn ------------------------------------------------------------------------

// Ends the connection when the turn ends: those who call may be in the middle of using this object.
void tls_layer::fail(failure reason) {
  if (!failed_)
    failed_ = std::move(reason);
  wake();
}

void tls_layer::wake() {
  awake_ = true;
  at_end_of_turn();
}

// Returns whether there is output to see to.
bool tls_layer::turn_ended() {
  const bool awake = std::exchange(awake_, false);
  if (failed_) {
    end(failure{*failed_}, engine_.flooded()); // to whom there is nothing to be said
    return false;
  }
  if (awake && !closed_by_peer_)
    received({});
  if (!is_open()) // it was closed meanwhile, and is deleted when the next turn ends
    return false;
  if (closed_by_peer_ && !read_shut() && wants_input()) {
    wake(); // for output, and to be alive behind the next line
    stream_ended();
    return false;
  }
  if (awake && wants_input())
    start_reading();
  return !blocked();
}

} // namespace troupe::detail
