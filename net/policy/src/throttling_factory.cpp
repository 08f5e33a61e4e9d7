#include <troupe/net/throttling_factory.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <utility>

#include <spdlog/logger.h>

#include <troupe/runtime/loop_scheduler.hpp>

namespace troupe {

namespace {

constexpr duration between_looks = std::chrono::seconds(1);

} // namespace

namespace detail {

/// One direction of what a peer does.
struct throttle_lane {
  std::atomic<std::uint64_t> bytes{0}; // since the last look
  std::atomic<bool> throttled{false};

  // Of the factory's thread only.
  double debt = 0;   // bytes that were taken, and not paid for
  bool full = false; // a second's worth was taken, so its connections have paused themselves
  time_point until{};
};

/// What one peer took, over all of its connections: of its host.
class throttle_account {
public:
  throttle_account(const throttle_limits& limits, std::size_t loops)
    : read_limit_(limits.read), write_limit_(limits.write), members_(loops) {}

  // -- of any thread ----------------------------------------------------------------------------

  void count_read(std::size_t n) noexcept { count(read, read_limit_, n); }
  void count_written(std::size_t n) noexcept { count(write, write_limit_, n); }
  [[nodiscard]] bool holds_reads() const noexcept { return holds(read, read_limit_); }
  [[nodiscard]] bool holds_writes() const noexcept { return holds(write, write_limit_); }

  // -- of the thread of that loop ---------------------------------------------------------------

  void add(throttling_protocol& p) { members_of(p).push_back(&p); }
  void remove(throttling_protocol& p) noexcept { std::erase(members_of(p), &p); }

  /// Lets the connections on that loop look at what has changed.
  void update(std::size_t loop) {
    std::vector<std::pair<caf::strong_actor_ptr, throttling_protocol*>> all; // which may change
    for (auto* const t : members_[loop])
      all.emplace_back(t->wrapped_protocol().ctrl(), t);
    for (const auto& [alive, t] : all) {
      auto& p = *static_cast<protocol*>(caf::actor_cast<caf::abstract_actor*>(alive));
      p.enter([&p, t = t] {
        if (p.connected())
          t->update();
      });
    }
  }

  throttle_lane read;
  throttle_lane write;

private:
  static void count(throttle_lane& lane, std::size_t limit, std::size_t n) noexcept {
    if (limit != 0)
      lane.bytes.fetch_add(n);
  }
  // Also who has taken a second's worth since the last look waits for the next.
  static bool holds(const throttle_lane& lane, std::size_t limit) noexcept {
    return limit != 0 && (lane.throttled.load() || lane.bytes.load() >= limit);
  }
  std::vector<throttling_protocol*>& members_of(const throttling_protocol& p) {
    return members_[p.wrapped_protocol().loop().index()];
  }

  const std::size_t read_limit_;
  const std::size_t write_limit_;
  std::vector<std::vector<throttling_protocol*>> members_; // by loop
};

} // namespace detail

// -- one connection -----------------------------------------------------------------------------

throttling_protocol::throttling_protocol(std::shared_ptr<detail::throttle_account> account)
  : account_(std::move(account)) {}

void throttling_protocol::connection_made() {
  account_->add(*this);
  update();
}

void throttling_protocol::connection_lost(const failure&) {
  account_->remove(*this);
}

void throttling_protocol::data_received(bytes_view data) {
  account_->count_read(data.size());
  update_reads();
  protocol_wrapper::data_received(data);
}

void throttling_protocol::wrote(std::size_t bytes) {
  account_->count_written(bytes);
  update_writes();
}

void throttling_protocol::write(bytes_view data) {
  protocol_wrapper::write(data);
  wrote(data.size());
}

void throttling_protocol::write(const shared_bytes& data) {
  protocol_wrapper::write(data);
  wrote(data.size());
}

void throttling_protocol::write_sequence(std::span<const bytes_view> pieces) {
  std::size_t bytes = 0;
  for (const auto piece : pieces)
    bytes += piece.size();
  protocol_wrapper::write_sequence(pieces);
  wrote(bytes);
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
  update_reads();
  update_writes();
}

void throttling_protocol::update_reads() {
  const bool hold = account_->holds_reads();
  if (std::exchange(reads_throttled_, hold) == hold)
    return;
  if (hold)
    protocol_wrapper::pause_producing();
  else if (!paused_)
    protocol_wrapper::resume_producing();
  if (!held_outside_)
    protocol_wrapper::reading_held(hold);
}

void throttling_protocol::update_writes() {
  const bool hold = account_->holds_writes();
  if (std::exchange(writes_throttled_, hold) != hold)
    valve_.update();
}

void throttling_protocol::reading_held(bool held) {
  held_outside_ = held;
  if (!reads_throttled_)
    protocol_wrapper::reading_held(held);
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

struct throttling_factory::direction {
  detail::throttle_lane detail::throttle_account::*const lane;
  const std::size_t limit;
  const char* const name;
  delayed_call next_look{};
  delayed_call release{};
  time_point shared_out{}; // until when
};

throttling_factory::throttling_factory(caf::actor_config& cfg, factory_ref inner,
                                       const throttle_limits& limits)
  : wrapping_factory(cfg, std::move(inner)), limits_(limits),
    read_(std::make_unique<direction>(
      direction{&detail::throttle_account::read, limits.read, "reads"})),
    write_(std::make_unique<direction>(
      direction{&detail::throttle_account::write, limits.write, "writes"})) {}

throttling_factory::~throttling_factory() = default;

bool throttling_factory::admits(const net_address&) {
  return connections() < limits_.max_connections;
}

protocol_ptr throttling_factory::build_protocol(const net_address& peer) {
  using kind = net_address::kind;
  host_ = peer.type() == kind::ipv4 || peer.type() == kind::ipv6 ? peer.host() : std::string{};
  return wrapping_factory::build_protocol(peer);
}

std::unique_ptr<protocol_wrapper> throttling_factory::make_wrapper() {
  begin(*read_);
  begin(*write_);
  auto& account = accounts_[host_];
  if (!account)
    account = std::make_shared<detail::throttle_account>(limits_, loop().scheduler().size());
  return std::make_unique<throttling_protocol>(account);
}

void throttling_factory::begin(direction& d) {
  if (d.limit == 0 || d.next_look.active())
    return;
  if (d.shared_out == time_point{})
    d.shared_out = loop().time();
  look(d); // what was taken before the last connection ended is paid for meanwhile
  if (d.next_look.active())
    return;
  d.next_look = call_later(between_looks, [this, &d] { look(d); });
  release_due(d);
}

void throttling_factory::look(direction& d) {
  share_out(d);
  forget_settled();
  if (connections() > 0) // else the next connection begins it anew
    d.next_look = call_later(between_looks, [this, &d] { look(d); });
  release_due(d);
}

// Shares out what may have been taken since the last time: whoever took little is paid for whole, and
// the others get equal parts. So the mean of all holds, and each pays for what it took beyond that.
void throttling_factory::share_out(direction& d) {
  const auto now = loop().time();
  const auto seconds =
    std::chrono::duration<double>(now - std::exchange(d.shared_out, now)).count();
  std::vector<detail::throttle_lane*> owing;
  for (const auto& [host, account] : accounts_) {
    auto& lane = account.get()->*d.lane;
    const auto taken = lane.bytes.exchange(0);
    lane.debt += static_cast<double>(taken);
    lane.full = taken >= d.limit;
    if (lane.debt > 0)
      owing.push_back(&lane);
  }
  std::ranges::sort(owing, {}, &detail::throttle_lane::debt);
  auto left = static_cast<double>(d.limit) * seconds;
  auto payers = static_cast<double>(owing.size());
  auto rate = static_cast<double>(d.limit);
  for (auto* const lane : owing) {
    const auto part = std::min(lane->debt, left / payers);
    lane->debt -= part;
    left -= part;
    if (lane->debt <= 0) {
      payers -= 1;
      continue;
    }
    // The first that is not paid for whole has the same part as all behind it.
    rate = seconds > 0 && part > 0 ? part / seconds : static_cast<double>(d.limit) / payers;
    const std::chrono::duration<double> wait{std::min(lane->debt / rate, 1e9)};
    lane->until = saturating_add(now, std::chrono::round<duration>(wait));
    payers -= 1;
  }
  std::vector<std::shared_ptr<detail::throttle_account>> changed;
  for (const auto& [host, account] : accounts_) {
    auto& lane = account.get()->*d.lane;
    const bool throttled = lane.debt > 0;
    const bool before = lane.throttled.exchange(throttled);
    if (before != throttled || lane.full)
      changed.push_back(account);
    if (before == throttled)
      continue;
    loop().scheduler().logger().debug("{} {} of {} by {}",
                                      throttled ? "throttling" : "no longer throttling", d.name,
                                      log_prefix(), host.empty() ? "local peers" : host);
  }
  tell(changed);
}

// Who has paid before the next look is let go then.
void throttling_factory::release_due(direction& d) {
  if (d.release.active())
    d.release.cancel();
  if (!d.next_look.active())
    return;
  const auto now = loop().time();
  auto next = d.next_look.get_time();
  std::vector<std::shared_ptr<detail::throttle_account>> changed;
  for (const auto& [host, account] : accounts_) {
    auto& lane = account.get()->*d.lane;
    if (!lane.throttled.load())
      continue;
    if (lane.until <= now) {
      lane.throttled.store(false);
      changed.push_back(account);
    } else {
      next = std::min(next, lane.until);
    }
  }
  tell(changed);
  if (next < d.next_look.get_time())
    d.release = call_later(next - now, [this, &d] { release_due(d); });
}

void throttling_factory::tell(
  const std::vector<std::shared_ptr<detail::throttle_account>>& changed) {
  if (changed.empty())
    return;
  auto& sched = loop().scheduler();
  for (std::size_t i = 0; i < sched.size(); ++i)
    sched.loop(i).post([changed, i] {
      for (const auto& account : changed)
        account->update(i);
    });
}

// Debts outlive connections, or to connect anew would pay them.
void throttling_factory::forget_settled() {
  const auto settled = [](const detail::throttle_lane& lane) {
    return lane.debt == 0 && lane.bytes.load() == 0;
  };
  std::erase_if(accounts_, [&](const auto& entry) {
    const auto& account = entry.second;
    return account.use_count() == 1 && settled(account->read) && settled(account->write);
  });
}

} // namespace troupe
