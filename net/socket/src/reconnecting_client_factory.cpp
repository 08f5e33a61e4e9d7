#include <troupe/net/reconnecting_client_factory.hpp>

#include <algorithm>
#include <random>
#include <stdexcept>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

#include "connecting.hpp"

namespace troupe {

namespace {

double system_random() {
  static thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::normal_distribution<double>{}(engine);
}

reconnect_options checked(reconnect_options o) {
  if (o.initial < duration::zero() || o.max < o.initial || !(o.factor >= 1) || !(o.jitter >= 0))
    throw std::invalid_argument(
      "reconnect_options: 0 <= initial <= max, factor >= 1 and jitter >= 0 are needed");
  return o;
}

} // namespace

reconnecting_client_factory::reconnecting_client_factory(caf::actor_config& cfg,
                                                         reconnect_options options)
  : client_factory(cfg), options_(checked(std::move(options))), delay_(options_.initial) {}

void reconnecting_client_factory::client_connection_failed(connector& c, const failure&) {
  retry(c);
}

void reconnecting_client_factory::client_connection_lost(connector& c, const failure&) {
  retry(c);
}

void reconnecting_client_factory::client_connection_made(connector&, const protocol_ptr&) {
  if (noisy)
    report_.connected(loop().scheduler().logger(), log_prefix());
}

void reconnecting_client_factory::retry(connector& c) {
  if (!continue_trying_ || loop().stopping())
    return;
  const auto why = c.last_failure();
  const auto what = detail::with_reason(c.get_destination(), why);
  if (options_.max_retries && retries_ >= *options_.max_retries) {
    if (noisy)
      report_.gave_up(loop().scheduler().logger(), log_prefix(), what, retries_);
    return;
  }
  ++retries_;
  const auto wait = next_wait();
  if (noisy)
    report_.failed(loop().scheduler().logger(), log_prefix(), what, why, wait);
  std::erase_if(waiting_, [](const delayed_call& call) { return !call.active(); });
  waiting_.push_back(call_later(wait, [c]() mutable {
    if (c.get_state() == connector::state::disconnected)
      c.connect();
  }));
}

// The jitter is of this wait only; what the next one grows from has none.
duration reconnecting_client_factory::next_wait() {
  const auto planned = delay_;
  delay_ = std::min(saturating_multiply(planned, options_.factor), options_.max);
  const double spread = options_.random ? options_.random() : system_random();
  return std::clamp(saturating_multiply(planned, 1 + options_.jitter * spread), planned / 2,
                    options_.max);
}

void reconnecting_client_factory::stop_trying() {
  continue_trying_ = false;
  for (auto& call : std::exchange(waiting_, {}))
    if (call.active())
      call.cancel();
  stop_attempts(errc::cancelled);
}

void reconnecting_client_factory::reset_delay() noexcept {
  delay_ = options_.initial;
  retries_ = 0;
  continue_trying_ = true;
}

} // namespace troupe
