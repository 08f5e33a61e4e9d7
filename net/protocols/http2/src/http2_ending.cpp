// How a connection ends, and when.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <spdlog/logger.h>

#include <troupe/http/http_status.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

#include "http2_connection.hpp"

namespace troupe {

namespace {

constexpr duration goodbye = std::chrono::seconds(2);

} // namespace

time_point http2_connection::now() const {
  return carrier_.loop().time();
}

void http2_connection::note(std::string_view reason) {
  carrier_.loop().scheduler().repeats().note("http2: " + std::string{reason}, log_level::info, [&] {
    return '[' + carrier_.log_name() + "] refused: " + escape_text(reason, 200);
  });
}

void http2_connection::stop_requested(transport&) {
  if (transport_ == nullptr || closing_)
    return;
  drain();
  for (const auto& [id, s] : streams_)
    if (s->taken_over())
      s->tunnel->stop_requested();
  work();
}

// Finishes what is under way: the client learns of it before it is told which requests that are.
void http2_connection::drain() {
  if (std::exchange(draining_, true))
    return;
  drain_since_ = now();
  session_.announce_end();
  arm_after(drain_since_, options_.drain_ping);
}

void http2_connection::say_end() {
  if (draining_ && !std::exchange(end_said_, true))
    session_.end();
}

// Closes so that the client gets all that was sent: unread input would make the system reset the
// connection, so what still comes is passed over for a while.
void http2_connection::close_politely() {
  closing_ = true;
  discarded_ = 0;
  closing_since_ = now();
  if (std::exchange(stuck_, false))
    transport_->unregister_producer();
  taken_at_ = closing_since_;
  taken_ = transport_->bytes_written() - transport_->unsent();
  arm_after(closing_since_, goodbye);
  transport_->lose_write_connection();
  drop_streams(failure{errc::connection_lost});
}

// -- time ---------------------------------------------------------------------------------------

void http2_connection::arm_after(time_point since, duration wait) {
  if (wait > duration::zero())
    arm(saturating_add(since, wait));
}

// Sees to it that `look` is called then, or before.
void http2_connection::arm(time_point due) {
  const auto after = std::max<duration>(due - now(), duration::zero());
  if (!timer_.active())
    timer_ = carrier_.call_later(after, [this] { look(); });
  else if (timer_.get_time() > due)
    timer_.reset(after);
  else
    return;
  due_ = due;
}

void http2_connection::look() {
  if (transport_ == nullptr)
    return;
  const auto at = now();
  // After a pause of this loop the client may have sent what only has not been read yet.
  if (!patience_.is_over(carrier_.loop(), due_, std::chrono::seconds(1)))
    return arm(saturating_add(at, std::chrono::milliseconds(1)));
  const auto& o = service_->options;
  auto& t = *transport_;
  const auto is_due = [&](time_point since, duration wait) {
    if (wait <= duration::zero())
      return false;
    if (at >= saturating_add(since, wait))
      return true;
    arm_after(since, wait);
    return false;
  };
  if (t.unsent() > 0) {
    const auto taken = t.bytes_written() - t.unsent();
    if (taken != std::exchange(taken_, taken))
      taken_at_ = at;
    if ((stuck_ || closing_) && is_due(taken_at_, o.write_timeout))
      return t.abort_connection();
  }
  if (closing_) {
    if (t.unsent() > 0)
      closing_since_ = at;
    if (is_due(closing_since_, goodbye))
      t.abort_connection();
    return;
  }
  if (draining_ && !end_said_ && is_due(drain_since_, options_.drain_ping))
    say_end();
  if (in_head_ && is_due(head_since_, o.head_timeout)) {
    in_head_ = false;
    session_.fail(NGHTTP2_PROTOCOL_ERROR, "the head took too long");
  }
  if (idle_since_ && is_due(*idle_since_, o.keep_alive_timeout)) {
    if (t.unsent() > 0 || stuck_)
      return t.abort_connection();
    session_.fail(NGHTTP2_NO_ERROR, "nothing was asked for");
  }
  check_streams(at);
  work();
}

void http2_connection::check_streams(time_point at) {
  const auto& o = service_->options;
  const auto least =
    std::chrono::duration<double>(o.body_check).count() * static_cast<double>(o.min_body_rate);
  std::vector<std::shared_ptr<detail::http_request_state>> slow;
  for (const auto& [id, s] : streams_) {
    if (s->closed)
      continue;
    if (s->rated) {
      if (at >= s->body_due) {
        const auto seen = static_cast<double>(std::exchange(s->body_seen, 0));
        if (s->request->body.awaited() && seen < least) {
          slow.push_back(s->request);
          s->rated = false;
        }
        s->body_due = saturating_add(at, o.body_check);
      }
      if (s->rated)
        arm(s->body_due);
    }
    const bool goes_on = s->taken_over() && !s->tunnel->over();
    if (s->sent_all && !goes_on && o.write_timeout > duration::zero()) { // and the request goes on
      if (at >= saturating_add(s->moved_at, o.write_timeout))
        session_.reset(id, NGHTTP2_NO_ERROR);
      else
        arm_after(s->moved_at, o.write_timeout);
    }
    if (s->streams && !s->waits && !stuck_ && o.write_timeout > duration::zero()) {
      if (at >= saturating_add(s->moved_at, o.write_timeout))
        session_.reset(id, NGHTTP2_CANCEL); // its window is closed
      else
        arm_after(s->moved_at, o.write_timeout);
    }
  }
  for (const auto& request :
       slow) { // whose handlers may answer, and with that end any stream, or all
    note("the body came too slowly");
    request->body.fail(http_error{408, "the body came too slowly\n"});
  }
}

} // namespace troupe
