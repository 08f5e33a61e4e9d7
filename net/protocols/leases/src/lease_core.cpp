#include "lease_core.hpp"

#include <algorithm>
#include <random>
#include <stdexcept>

#include <spdlog/logger.h>

#include <troupe/runtime/logger.hpp>

namespace troupe::detail {

namespace {

std::string new_holder(const std::string& node) {
  static constexpr char digits[] = "0123456789abcdef";
  std::random_device random;
  auto text = node + '/';
  for (int i = 0; i < 3; ++i)
    for (auto bits = random(), n = 8U; n-- > 0; bits >>= 4)
      text += digits[bits & 15];
  return text;
}

void check_leases_options(const leases_options& o) {
  const auto need = [](bool well, const char* what) {
    if (!well)
      throw std::invalid_argument(std::string{"leases_options: "} + what);
  };
  need(!o.node.empty() && o.node.size() <= 100, "node has 1 to 100 bytes");
  need(std::ranges::all_of(o.node, [](unsigned char c) { return c > ' ' && c != 0x7f; }),
       "node has neither white space nor control characters");
  need(o.ttl <= std::chrono::hours(24), "ttl is longer than a day");
  need(o.margin > duration::zero() && o.renew_every > duration::zero()
         && o.look_every > duration::zero() && o.patience > duration::zero(),
       "margin, renew_every, look_every and patience are longer than 0");
  need(
    o.renew_every < o.ttl && o.patience < o.ttl && o.margin < o.ttl
      && o.renew_every + o.patience <= o.ttl - o.margin,
    "renew_every and patience together are not longer than ttl without margin; else a store that "
    "answers late takes leases away");
}

} // namespace

void lease_state::release() noexcept {
  if (released.exchange(true))
    return;
  try {
    if (const auto c = core.lock())
      c->on_loop_0([self = shared_from_this()](lease_core& of) { of.released(self); });
  } catch (...) { // no memory: it ends by itself
  }
}

void lease_state::abandon() noexcept {
  try {
    if (const auto c = core.lock())
      c->on_loop_0([self = shared_from_this()](lease_core& of) { of.abandoned(self); });
  } catch (...) { // no memory: it is renewed until the process ends
  }
}

lease_core::lease_core(runtime& rt, lease_store_ref store, leases_options options)
  : rt_(rt), store_(std::move(store)), options_(std::move(options)),
    who_(new_holder(options_.node)), alive_(rt.scheduler().alive()),
    gauge_(rt.metrics().add_gauge("troupe_leases_held", "Leases that this process has.")),
    losses_(rt.metrics().add_counter("troupe_leases_lost_total", "Leases that were lost.")) {
  check_leases_options(options_);
  if (store_ == nullptr)
    throw std::invalid_argument("leases: there is no store; give it one, such as memory_leases");
}

lease_core::~lease_core() = default;

void lease_core::start() {
  const auto weak = weak_from_this();
  link_ = store_->attach(rt_, [weak](std::string_view name) {
    if (const auto self = weak.lock())
      self->freed(name);
  });
  before_end_ =
    rt_.reactor().add_system_event_trigger(trigger_phase::before, system_event::shutdown, [weak] {
      const auto self = weak.lock();
      if (!self)
        return succeed();
      self->before_end_.reset();
      return self->give_back();
    });
  at_end_ =
    rt_.reactor().add_system_event_trigger(trigger_phase::after, system_event::shutdown, [weak] {
      if (const auto self = weak.lock()) {
        self->at_end_.reset();
        self->end();
      }
    });
}

// Nothing is written any more: what is held ends by itself.
void lease_core::end() {
  closing_ = true;
  if (alive_->load())
    for (auto* const trigger : {&before_end_, &at_end_})
      if (const auto id = std::exchange(*trigger, std::nullopt)) {
        try {
          rt_.reactor().remove_system_event_trigger(*id);
        } catch (const std::invalid_argument&) { // it has run
        }
      }
  const auto seats = std::exchange(seats_, {});
  for (const auto& [name, s] : seats) {
    stop_timer(*s);
    for (const auto& who : s->queue) {
      who->until = 0;
      if (who->answer)
        std::exchange(who->answer, {})(failure{errc::runtime_stopped});
    }
    s->queue.clear();
    s->claim.reset();
  }
  count_held(-static_cast<int>(held_.load()));
  link_.reset();
  given_back();
}

void lease_core::stop_timer(seat& s) const {
  if (auto call = std::exchange(s.timer, {}); alive_->load() && call.active())
    call.cancel();
}

leases_counters lease_core::counters() const noexcept {
  return {.held = held_.load(),
          .acquired = acquired_.get(),
          .lost = lost_.get(),
          .renewed = renewed_.get(),
          .store_failures = failures_.get()};
}

// -- who asks ---------------------------------------------------------------------------------------

void lease_core::acquire(const std::shared_ptr<lease_state>& who) {
  if (closing_ || link_ == nullptr)
    return std::exchange(who->answer, {})(failure{errc::runtime_stopped, "leases are given back"});
  if (who->name.empty() || who->name.size() > 200)
    return std::exchange(who->answer, {})(
      failure{errc::invalid_argument, "the name of a lease has 1 to 200 bytes"});
  auto& place = seats_[who->name];
  if (!place) {
    place = std::make_shared<seat>();
    place->name = who->name;
  }
  const auto s = place;
  s->queue.push_back(who);
  if (!s->claim)
    begin(s);
  else
    schedule(s, time());
}

void lease_core::begin(const seat_ref& s) {
  s->claim.emplace(who_,
                   lease_times{options_.ttl, options_.margin, options_.renew_every,
                               options_.look_every, options_.patience},
                   s->asked);
  step(s);
}

void lease_core::released(const std::shared_ptr<lease_state>& who) {
  who->until = 0;
  who->lost = {};
  if (who->answer)
    std::exchange(who->answer, {})(failure{errc::cancelled});
  const auto found = seats_.find(who->name);
  if (found == seats_.end())
    return;
  const auto s = found->second;
  if (s->queue.empty() || s->queue.front() != who) {
    std::erase(s->queue, who);
    return;
  }
  leave(s);
}

void lease_core::abandoned(const std::shared_ptr<lease_state>& who) {
  who->lost = {};
  const auto found = seats_.find(who->name);
  if (found == seats_.end() || found->second->queue.front() != who || !found->second->held)
    return;
  found->second->held = false;
  who->until = 0;
  count_held(-1);
  found->second->claim->abandon();
  schedule(found->second, time());
}

// The first one has no use for it any more.
void lease_core::leave(const seat_ref& s) {
  if (std::exchange(s->held, false))
    count_held(-1);
  if (s->claim->at() == lease_claim::phase::lost)
    return ended(s);
  s->claim->release(time());
  step(s);
}

void lease_core::ended(const seat_ref& s) {
  s->queue.pop_front();
  s->claim.reset();
  stop_timer(*s);
  if (!s->queue.empty())
    return begin(s);
  watch(s, false);
  seats_.erase(s->name);
  if (closing_ && seats_.empty())
    given_back();
}

// -- what is to be done -------------------------------------------------------------------------------

void lease_core::step(const seat_ref& s) {
  if (!s->claim)
    return;
  const auto now = time();
  expire_waiting(s, now);
  const auto what = s->claim->next(now);
  look_at(s, now);
  if (what.what != lease_claim::want::nothing && s->claim)
    ask(s, what);
  schedule(s, time());
}

void lease_core::ask(const seat_ref& s, const lease_claim::step& what) {
  const auto then = [weak = weak_from_this(), s, number = what.number](auto got, auto heard) {
    const auto self = weak.lock();
    if (!self || self->link_ == nullptr || !s->claim)
      return;
    self->store_said(got ? failure{} : got.error());
    ((*s->claim).*heard)(number, self->time(), got);
    self->step(s);
  };
  s->asked = what.number; // the next claim goes on from there, and takes no answer for its own
  if (what.what == lease_claim::want::read)
    link_->read(s->name).add_both(
      [then](outcome<lease_record> got) { then(std::move(got), &lease_claim::have_read); });
  else
    link_->write(s->name, what.record).add_both([then](outcome<std::uint64_t> got) {
      then(std::move(got), &lease_claim::have_written);
    });
}

void lease_core::store_said(const failure& why) {
  const bool well = !why || why.check(lease_errc::conflict);
  if (!well)
    failures_.add();
  if (std::exchange(store_well_, well) == well)
    return;
  if (well)
    rt_.logger().info("leases: the store {} is back", store_->name());
  else
    rt_.logger().warn("leases: the store {} is away: {}", store_->name(), why.message());
}

// What has become of the first one.
void lease_core::look_at(const seat_ref& s, time_point now) {
  const auto& c = *s->claim;
  const auto& who = s->queue.front();
  using phase = lease_claim::phase;
  if (c.at() == phase::held) {
    const auto until = c.held_until().time_since_epoch().count();
    if (std::exchange(s->held, true)) {
      if (who->until.exchange(until) != until)
        renewed_.add();
      return;
    }
    watch(s, false);
    acquired_.add();
    count_held(1);
    who->token = c.token();
    who->until = until;
    rt_.logger().info("lease {}: held by this process, token {}", escape_text(s->name, 64),
                      c.token());
    std::exchange(who->answer, {})(failure{});
  } else if (c.at() == phase::lost) {
    if (std::exchange(s->held, false)) {
      who->until = 0;
      count_held(-1);
      lost_.add();
      losses_.add();
      rt_.logger().warn("lease {}: {}", escape_text(s->name, 64), c.why().message());
      tell(*who, c.why());
    }
    if (who->released || now >= c.others_from())
      ended(s);
  } else if (c.at() == phase::released) {
    ended(s);
  } else if (c.at() == phase::seeking) {
    watch(s, true);
  }
}

void lease_core::tell(lease_state& who, const failure& why) {
  if (auto lost = std::exchange(who.lost, {}); lost && !who.released)
    lost(why);
}

void lease_core::expire_waiting(const seat_ref& s, time_point now) {
  for (std::size_t i = s->queue.size(); i-- > 0;) {
    const auto who = s->queue[i];
    if (now < who->deadline || !who->answer)
      continue;
    const auto& c = *s->claim;
    const bool here = i > 0;
    const auto holder = here ? who_ : c.holder();
    auto why = !c.why() || !holder.empty() ? failure{lease_errc::held_elsewhere,
                                                     holder.empty() ? s->name : holder + " has it"}
                                           : c.why();
    std::exchange(who->answer, {})(std::move(why));
    if (here)
      s->queue.erase(s->queue.begin() + static_cast<std::ptrdiff_t>(i));
    else
      s->claim->release(now);
  }
}

void lease_core::schedule(const seat_ref& s, time_point now) {
  if (!s->claim)
    return;
  auto at =
    s->claim->at() == lease_claim::phase::lost ? s->claim->others_from() : s->claim->wake_at();
  for (const auto& who : s->queue)
    if (who->answer)
      at = std::min(at, who->deadline);
  stop_timer(*s);
  if (at == time_point::max())
    return;
  s->timer = rt_.reactor().call_later(std::max(at - now, duration::zero()),
                                      [weak = weak_from_this(), w = std::weak_ptr{s}] {
                                        const auto self = weak.lock();
                                        const auto due = w.lock();
                                        if (self && due && self->link_ != nullptr)
                                          self->step(due);
                                      });
}

void lease_core::watch(const seat_ref& s, bool on) {
  if (std::exchange(s->watched, on) != on)
    link_->watch(s->name, on);
}

void lease_core::freed(std::string_view name) {
  if (const auto found = seats_.find(name); found != seats_.end() && found->second->claim) {
    const auto s = found->second;
    s->claim->freed();
    step(s);
  }
}

void lease_core::count_held(int by) {
  held_ += static_cast<std::size_t>(by);
  gauge_.add(by);
}

// -- the end ------------------------------------------------------------------------------------------

deferred<void> lease_core::give_back() {
  closing_ = true;
  promise<void> all;
  auto result = all.get_deferred();
  want_end_.push_back(std::move(all));
  std::vector<seat_ref> seats;
  for (const auto& [name, s] : seats_)
    seats.push_back(s);
  for (const auto& s : seats) {
    while (s->queue.size() > 1) {
      const auto who = s->queue.back();
      s->queue.pop_back();
      if (who->answer)
        std::exchange(who->answer, {})(failure{errc::runtime_stopped});
    }
    const auto who = s->queue.front();
    if (s->held) {
      tell(*who, failure{errc::runtime_stopped, "the lease is asked back"});
    } else {
      if (who->answer)
        std::exchange(who->answer, {})(failure{errc::runtime_stopped});
      leave(s);
    }
  }
  if (seats_.empty())
    given_back();
  else if (!closing_timer_.active())
    closing_timer_ = rt_.reactor().call_later(options_.margin, [weak = weak_from_this()] {
      if (const auto self = weak.lock())
        self->abandon_all();
    });
  return result;
}

// Those who were asked have not given back; nothing is renewed for them any more.
void lease_core::abandon_all() {
  for (const auto& [name, s] : seats_)
    if (s->held)
      abandoned(s->queue.front());
  given_back();
}

void lease_core::given_back() {
  if (auto call = std::exchange(closing_timer_, {}); alive_->load() && call.active())
    call.cancel();
  for (auto& p : std::exchange(want_end_, {}))
    p.callback();
}

} // namespace troupe::detail
