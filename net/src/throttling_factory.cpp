#include <troupe/net/throttling_factory.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

constexpr duration between_looks = std::chrono::seconds(1);

} // namespace

// -- one connection -----------------------------------------------------------------------------

throttling_protocol::throttling_protocol(std::shared_ptr<detail::throttle_meter> meter)
  : meter_(std::move(meter)) {}

void throttling_protocol::data_received(bytes_view data) {
  meter_->read.bytes.fetch_add(data.size(), std::memory_order_relaxed);
  protocol_wrapper::data_received(data);
}

void throttling_protocol::write(bytes_view data) {
  meter_->write.bytes.fetch_add(data.size(), std::memory_order_relaxed);
  protocol_wrapper::write(data);
}

void throttling_protocol::write(const shared_bytes& data) {
  meter_->write.bytes.fetch_add(data.size(), std::memory_order_relaxed);
  protocol_wrapper::write(data);
}

void throttling_protocol::write_sequence(std::span<const bytes_view> pieces) {
  for (const auto piece : pieces)
    meter_->write.bytes.fetch_add(piece.size(), std::memory_order_relaxed);
  protocol_wrapper::write_sequence(pieces);
}

void throttling_protocol::pause_producing() {
  paused_ = true;
  protocol_wrapper::pause_producing();
}

void throttling_protocol::resume_producing() {
  paused_ = false;
  if (!reads_throttled_)
    protocol_wrapper::resume_producing();
}

void throttling_protocol::register_producer(producer& p, bool streaming) {
  const bool taken = valve_.from != nullptr;
  if (!taken) {
    valve_.from = &p;
    valve_.streaming = streaming;
    valve_.wanted = streaming;
  }
  protocol_wrapper::register_producer(valve_, streaming); // throws if one is registered
  if (valve_.from != nullptr && streaming && writes_throttled_)
    p.pause_producing();
}

void throttling_protocol::unregister_producer() {
  valve_.from = nullptr;
  protocol_wrapper::unregister_producer();
}

void throttling_protocol::update() {
  if (std::exchange(reads_throttled_, meter_->read.throttled.load()) != reads_throttled_) {
    if (reads_throttled_)
      protocol_wrapper::pause_producing();
    else if (!paused_)
      protocol_wrapper::resume_producing();
  }
  if (std::exchange(writes_throttled_, meter_->write.throttled.load()) != writes_throttled_)
    valve_.update();
}

void throttling_protocol::valve::resume_producing() {
  if (from == nullptr)
    return;
  wanted = true;
  if (throttled_)
    return;
  wanted = streaming; // a pull producer is asked once
  from->resume_producing();
}

void throttling_protocol::valve::pause_producing() {
  wanted = false;
  if (from != nullptr && !throttled_)
    from->pause_producing();
}

void throttling_protocol::valve::stop_producing() {
  if (auto* const p = std::exchange(from, nullptr))
    p->stop_producing();
}

void throttling_protocol::valve::update() {
  if (from == nullptr || !wanted)
    return;
  if (!throttled_)
    resume_producing();
  else if (streaming)
    from->pause_producing();
}

// -- the factory --------------------------------------------------------------------------------

throttling_factory::throttling_factory(caf::actor_config& cfg, factory_ref inner,
                                       const throttle_limits& limits)
  : wrapping_factory(cfg, std::move(inner)), max_connections_(limits.max_connections),
    meter_(std::make_shared<detail::throttle_meter>()), read_{meter_->read, limits.read},
    write_{meter_->write, limits.write} {}

bool throttling_factory::admits(const net_address&) {
  return connections() < max_connections_;
}

std::unique_ptr<protocol_wrapper> throttling_factory::make_wrapper() {
  begin(read_);
  begin(write_);
  return std::make_unique<throttling_protocol>(meter_);
}

void throttling_factory::begin(direction& d) {
  if (d.limit != 0 && !d.look.active()) {
    d.lane.bytes.store(0);
    d.look = call_later(between_looks, [this, &d] { look(d); });
  }
}

void throttling_factory::look(direction& d) {
  const auto bytes = d.lane.bytes.exchange(0);
  if (bytes > d.limit) {
    const std::chrono::duration<double> wait{
      std::min(static_cast<double>(bytes) / static_cast<double>(d.limit) - 1.0, 1e9)};
    const auto until = saturating_add(loop().time(), std::chrono::ceil<duration>(wait));
    if (!d.release.active()) {
      set_throttled(d, true);
      d.release = call_later(until - loop().time(), [this, &d] { set_throttled(d, false); });
    } else if (d.release.get_time() < until) {
      d.release.delay(until - d.release.get_time());
    }
  }
  if (connections() > 0) // else the next connection begins it anew
    d.look = call_later(between_looks, [this, &d] { look(d); });
}

void throttling_factory::set_throttled(direction& d, bool on) {
  if (noisy)
    loop().scheduler().logger().info("{} {} of {}", on ? "throttling" : "no longer throttling",
                                     &d == &read_ ? "reads" : "writes", log_prefix());
  d.lane.throttled.store(on);
  auto& sched = loop().scheduler();
  for (std::size_t i = 0; i < sched.size(); ++i)
    sched.loop(i).post([&where = sched.loop(i), meter = meter_] {
      where.each_pinned([&meter](pinned_actor& a) {
        auto* const p = dynamic_cast<protocol*>(&a);
        for (auto* w = p != nullptr ? p->wrapper() : nullptr; w != nullptr; w = w->next())
          if (auto* const t = dynamic_cast<throttling_protocol*>(w); t && t->meter_ == meter)
            p->enter([&] {
              if (p->connected())
                t->update();
            });
      });
    });
}

} // namespace troupe
