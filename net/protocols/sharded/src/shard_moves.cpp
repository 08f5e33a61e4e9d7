#include <algorithm>
#include <chrono>
#include <utility>

#include <caf/send.hpp>
#include <spdlog/logger.h>

#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/cluster/detail/message_codec.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>

#include "placement.hpp"
#include "sharded_core.hpp"

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

constexpr duration between_looks = 100ms;
constexpr duration patience = 2s; // with another node, before it is asked anew
constexpr std::uint32_t most_hops = 4;

} // namespace

// -- who is there -------------------------------------------------------------------------------

void sharded_core::hosts_are(const std::vector<std::string>& nodes) {
  {
    const lock guard{mutex_};
    hosts_ = nodes;
    const auto state = cluster_.state();
    out_ = state == own_state::left || state == own_state::refused;
    const bool here = std::find(nodes.begin(), nodes.end(), us_) != nodes.end();
    if (here && !std::exchange(begun_settling_, true))
      // Who has come hears of the others first.
      region_->call_later(2 * cluster_.options().heartbeat, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
          self->has_settled();
      });
    for (auto& s : shards_)
      if (auto owner = owner_of(s.number, nodes); owner != s.owner) {
        s.owner = std::move(owner);
        s.patient_until = {};
      }
    for (auto& s : shards_) {
      look_at(s);
      settle(s);
    }
    drained_if_empty();
  }
  start_entities();
}

void sharded_core::has_settled() {
  {
    const lock guard{mutex_};
    settled_ = true;
    for (auto& s : shards_)
      if (s.at == shard::phase::starting)
        advance(s);
  }
  start_entities();
}

void sharded_core::reachable_are(const std::vector<std::string>& nodes) {
  const lock guard{mutex_};
  for (auto& s : shards_)
    if (s.at == shard::phase::starting) {
      for (const auto& node : nodes)
        if (node != us_
            && std::find(reachable_.begin(), reachable_.end(), node) == reachable_.end())
          s.unasked.insert(node);
      std::erase_if(s.unasked, [&](const auto& node) {
        return std::find(nodes.begin(), nodes.end(), node) == nodes.end();
      });
    }
  reachable_ = nodes;
  if (unaware_)
    std::erase_if(*unaware_, [&](const auto& node) {
      return std::find(nodes.begin(), nodes.end(), node) == nodes.end();
    });
}

// Others may have started what we have; with leases that cannot be.
void sharded_core::was_out() {
  const lock guard{mutex_};
  if (options_.locks != nullptr)
    return;
  for (auto& s : shards_)
    if (s.at == shard::phase::here || s.at == shard::phase::starting) {
      begin(s);
      look_at(s);
    }
}

void sharded_core::drains() {
  const lock guard{mutex_};
  draining_ = true;
  drained_if_empty();
}

// A drain ends when nothing is here, nobody else would send anything here, what went on from here has
// arrived, and has been answered.
void sharded_core::drained_if_empty() {
  if (!draining_ || !guard_ || std::find(hosts_.begin(), hosts_.end(), us_) != hosts_.end())
    return;
  busy(); // looks again
  const auto is_busy = [](const shard& s) {
    return s.at != shard::phase::elsewhere || s.waiting() != 0 || s.flushing || !s.flushes.empty();
  };
  if (std::any_of(shards_.begin(), shards_.end(), is_busy))
    return;
  if (!unaware_)
    unaware_.emplace(reachable_.begin(), reachable_.end()).erase(us_);
  if (!unaware_->empty())
    return ask_unaware();
  bool arrived = true;
  for (auto& s : shards_)
    if (!s.went_to.empty()) {
      start_flush(s);
      arrived = false;
    }
  if (arrived && *open_questions_ == 0)
    caf::anon_send_exit(std::exchange(guard_, {}), caf::exit_reason::kill);
}

// Asks the others whether they know that entities do not run here any more. What they sent before is ahead of that answer.
void sharded_core::ask_unaware() {
  for (const auto& node : *unaware_) {
    if (!asking_unaware_.insert(node).second)
      continue;
    troupe::ask<bool>(*region_, region_of(node), patience, caf::atom("aware"), options_.shards, us_)
      .add_both([weak = weak_from_this(), node](outcome<bool> got) {
        const auto self = weak.lock();
        if (!self)
          return;
        const lock guard{self->mutex_};
        self->asking_unaware_.erase(node);
        const bool gone = !got && !got.error().check(errc::timed_out);
        if (gone || (got && *got)) {
          self->unaware_->erase(node);
          self->drained_if_empty();
        }
      });
  }
}

// -- phases -------------------------------------------------------------------------------------

void sharded_core::look_at(shard& s) {
  switch (s.at) {
  case shard::phase::elsewhere:
    if (out_) {
      const failure why{errc::not_connected,
                        "node " + us_ + " has left, and has no '" + options_.name + "'"};
      for (auto* const letters : {&s.held, &s.behind})
        for (auto& one : std::exchange(*letters, {}))
          fail_letter(one, why);
      return;
    }
    if (s.owner == us_) {
      if (s.waiting() != 0 || !s.seats.empty())
        begin(s), advance(s);
      return;
    }
    if (s.waiting() == 0)
      s.patient_until = {};
    if (s.waiting() == 0 || s.owner.empty() || time() < s.patient_until)
      return;
    if (s.barred())
      return start_flush(s);
    return send_on(s);
  case shard::phase::starting:
    return advance(s);
  case shard::phase::here:
    if (s.owner != us_)
      return leave(s, s.owner.empty() ? entity_end::stopped : entity_end::moved);
    if (s.barred())
      start_flush(s);
    return;
  case shard::phase::leaving:
    return advance_leaving(s);
  }
}

void sharded_core::begin(shard& s) {
  s.at = shard::phase::starting;
  ++s.round;
  s.acquiring = false;
  s.asking.clear();
  s.unasked.clear();
  for (const auto& node : reachable_)
    if (node != us_)
      s.unasked.insert(node);
  busy();
}

void sharded_core::advance(shard& s) {
  if (s.owner != us_)
    return give_up(s);
  if (s.barred())
    start_flush(s);
  if (options_.locks != nullptr) {
    if (s.held_lease.held())
      return open(s);
    return acquire(s);
  }
  if (!settled_)
    return;
  if (s.unasked.empty())
    return open(s);
  ask_others(s);
}

// Somebody else is to have it, or nobody wants it any more.
void sharded_core::give_up(shard& s) {
  ++s.round;
  s.acquiring = false;
  if (!s.seats.empty())
    return leave(s, s.owner.empty() ? entity_end::stopped : entity_end::moved);
  left(s);
}

void sharded_core::ask_others(shard& s) {
  const auto nodes = s.unasked;
  for (const auto& node : nodes) {
    if (!s.asking.insert(node).second)
      continue;
    troupe::ask<bool>(*region_, region_of(node), patience, caf::atom("claim"), options_.shards,
                      s.number, us_)
      .add_both(
        [weak = weak_from_this(), number = s.number, round = s.round, node](outcome<bool> got) {
          const auto self = weak.lock();
          if (!self)
            return;
          {
            const lock guard{self->mutex_};
            auto& that = self->shards_[number];
            if (that.round != round || that.at != shard::phase::starting)
              return;
            // Who is gone has nothing. Who has not heard us is asked anew, as who refuses is.
            const bool gone = !got && !got.error().check(errc::timed_out);
            that.asking.erase(node);
            if (gone || (got && *got)) {
              that.unasked.erase(node);
              self->advance(that);
            } else if (got && !that.seats.empty()
                       && std::any_of(that.seats.begin(), that.seats.end(), [](const auto& one) {
                            return one.second.at == seat::phase::running;
                          })) {
              that.push_to = node; // it has them too, and others know of those: ours go there
              self->leave(that, entity_end::moved);
            }
            self->settle(that);
          }
          self->start_entities();
        });
  }
}

void sharded_core::acquire(shard& s) {
  if (std::exchange(s.acquiring, true))
    return;
  s.held_lease.release(); // it is lost
  const auto weak = weak_from_this();
  const auto number = s.number;
  const auto round = s.round;
  acquire_options how;
  how.wait = options_.hold_for;
  how.lost = [weak, number, round](const failure& why) {
    const auto self = weak.lock();
    if (!self)
      return;
    const lock guard{self->mutex_};
    auto& that = self->shards_[number];
    if (that.round == round)
      self->lease_lost(that, why);
  };
  options_.locks->acquire(*region_, host_name_ + '/' + std::to_string(number), std::move(how))
    .add_both([weak, number, round](outcome<troupe::lease> got) {
      const auto self = weak.lock();
      if (!self)
        return;
      {
        const lock guard{self->mutex_};
        auto& that = self->shards_[number];
        if (that.round != round || that.at != shard::phase::starting)
          return; // what was got is given back
        that.acquiring = false;
        if (got) {
          that.held_lease = std::move(*got);
          self->advance(that);
        }
        self->settle(that);
      }
      self->start_entities();
    });
}

void sharded_core::open(shard& s) {
  s.at = shard::phase::here;
  auto letters = std::exchange(s.held, {});
  for (auto& [key, one] : s.seats)
    if (one.at == seat::phase::waiting)
      want_start(s, key);
  for (auto& one : letters)
    put(s, std::move(one));
}

void sharded_core::leave(shard& s, entity_end why) {
  s.at = shard::phase::leaving;
  if (options_.locks == nullptr)
    ++s.round;
  for (auto next = s.seats.begin(); next != s.seats.end();) {
    auto& one = next->second;
    hold_again(s, one);
    if (one.at == seat::phase::running)
      let_go(one, why);
    if (one.at == seat::phase::waiting && one.state) { // it goes on as it came
      one.at = seat::phase::ending;
      one.over = true;
      one.why = why;
      one.deadline = time() + options_.hold_for;
    }
    next = one.at == seat::phase::waiting ? s.seats.erase(next) : std::next(next);
  }
  busy();
  advance_leaving(s);
}

void sharded_core::lease_lost(shard& s, const failure& why) {
  if (why.check(errc::runtime_stopped)) { // it is ours until we give it back
    if (s.at == shard::phase::here)
      leave(s, entity_end::stopped);
    return;
  }
  ++count_.leases_lost;
  rt_.repeats().note("sharded lease " + host_name_, log_level::warn, [&] {
    return "node " + us_ + " has lost the lease of shard " + std::to_string(s.number) + " of '"
           + escape_text(options_.name, 64) + "': its entities end";
  });
  for (auto& [key, one] : s.seats)
    if (one.at != seat::phase::waiting && !one.over)
      kill(one);
  if (s.at == shard::phase::here)
    leave(s, entity_end::stopped);
  else if (s.at == shard::phase::starting)
    begin(s);
}

void sharded_core::advance_leaving(shard& s) {
  for (auto next = s.seats.begin(); next != s.seats.end();) {
    auto& one = next->second;
    if (one.at != seat::phase::ending || !one.over) {
      ++next;
      continue;
    }
    hold_again(s, one);
    if (one.why != entity_end::moved || !one.state || one.state->empty()) {
      next = s.seats.erase(next);
    } else if (s.owner == us_ && s.push_to.empty() && !one.pushed) { // it stays, after all
      one.at = seat::phase::waiting;
      one.over = one.pushed = one.starting = false;
      one.deadline = {};
      ++next;
    } else if (time() > one.deadline) {
      ++count_.states_lost;
      rt_.repeats().note("sharded state " + host_name_, log_level::warn, [&] {
        return "node " + us_ + ": nobody takes over entity '" + escape_text(next->first, 64)
               + "' of '" + escape_text(options_.name, 64) + "': what it has not stored is lost";
      });
      next = s.seats.erase(next);
    } else {
      push(s, next->first, one);
      ++next;
    }
  }
  if (std::none_of(s.seats.begin(), s.seats.end(),
                   [](const auto& one) { return one.second.at == seat::phase::ending; }))
    left(s);
}

void sharded_core::left(shard& s) {
  s.at = shard::phase::elsewhere;
  ++s.round;
  s.acquiring = false;
  s.push_to.clear();
  s.held_lease.release();
  for (const auto& one : std::exchange(s.claims, {}))
    respond_to(one.asker, one.id, caf::make_message(true));
  look_at(s);
  drained_if_empty();
}

// -- what goes on -------------------------------------------------------------------------------

void sharded_core::send_on(shard& s) {
  s.patient_until = {};
  auto letters = std::exchange(s.held, {});
  for (auto& one : std::exchange(s.behind, {}))
    letters.push_back(std::move(one));
  if (!letters.empty())
    s.went_to = s.owner;
  const auto now = time();
  for (auto& one : letters) {
    if (one.hops >= most_hops) {
      fail_letter(one, {errc::no_route, "the nodes do not agree on which of them has entity '"
                                          + escape_text(one.key, 64) + "'"});
      continue;
    }
    std::string bytes;
    if (const auto why = write_message(bytes, rt_.system(), one.content)) {
      fail_letter(one, why);
      continue;
    }
    --count_.held;
    if (one.hops > 0)
      ++count_.sent_on;
    ++one.hops;
    const auto rest = std::max(one.answer_by - now, duration{1ms});
    if (one.asker) {
      ask_over_nodes(*region_, region_of(s.owner), rest, envelope(one, rest, std::move(bytes)),
                     relay(one));
    } else if (region_of(s.owner).send(caf::atom("route"), options_.shards, one.hops,
                                       std::uint32_t{0}, one.origin, one.part.incarnation,
                                       one.part.number, one.key, std::move(bytes))) {
      ++count_.messages_dropped;
    }
  }
}

// Asks the node to which messages went last whether they are ahead of what comes.
void sharded_core::start_flush(shard& s) {
  if (std::exchange(s.flushing, true))
    return;
  busy();
  // Behind what other loops have on its way to loop 0.
  on_loop_0([number = s.number](sharded_core& core) {
    const auto& node = core.shards_[number].went_to;
    troupe::ask<bool>(*core.region_, core.region_of(node), patience, caf::atom("flush"),
                      core.options_.shards, number, core.us_, std::uint32_t{0})
      .add_both([weak = core.weak_from_this(), number](outcome<bool> got) {
        const auto self = weak.lock();
        if (!self)
          return;
        {
          const lock guard{self->mutex_};
          auto& that = self->shards_[number];
          that.flushing = false;
          if (!got && !got.error().check(errc::timed_out)) // whatever it has may come later
            that.latest[self->us_] = {self->cluster_.incarnation(), ++that.stretch_number};
          if (got || !got.error().check(errc::timed_out))
            self->flushed(that);
          self->look_at(that); // asks anew, if there is no answer
          self->settle(that);
          self->drained_if_empty();
        }
        self->start_entities();
      });
  });
}

void sharded_core::flushed(shard& s) {
  s.went_to.clear();
  for (auto& one : std::exchange(s.behind, {})) {
    if (one.origin == us_)
      one.part = part_of(s);
    if (s.at == shard::phase::here) {
      put(s, std::move(one));
    } else {
      s.held.push_back(std::move(one));
    }
  }
}

// Answers those who ask whether what they have sent is dealt with, if it is.
void sharded_core::settle(shard& s) {
  if (s.flushes.empty() || s.at == shard::phase::leaving || (s.waiting() != 0 && !s.flushing))
    return;
  for (auto& one : std::exchange(s.flushes, {})) {
    const bool further = s.at == shard::phase::elsewhere && !s.flushing && !s.went_to.empty()
                         && s.went_to != us_ && s.went_to != one.node && one.hops < most_hops;
    if (!further) {
      respond_to(one.asker, one.id, caf::make_message(true));
      continue;
    }
    troupe::ask<bool>(*region_, region_of(s.went_to), patience, caf::atom("flush"), options_.shards,
                      s.number, us_, one.hops + 1)
      .add_both([one](outcome<bool> got) {
        if (got || !got.error().check(errc::timed_out))
          respond_to(one.asker, one.id, caf::make_message(true));
        else
          respond_to(one.asker, one.id, got.error());
      });
  }
}

// -- time ---------------------------------------------------------------------------------------

void sharded_core::busy() {
  if (std::exchange(ticking_, true))
    return;
  region_->call_later(between_looks, [weak = weak_from_this()] {
    if (const auto self = weak.lock())
      self->tick();
  });
}

void sharded_core::tick() {
  {
    const lock guard{mutex_};
    ticking_ = false;
    const auto now = time();
    bool more = false;
    for (auto& s : shards_) {
      if (s.waiting() != 0)
        expire(s, now);
      if (s.at == shard::phase::leaving || std::exchange(s.sleeps, false))
        for (auto& [key, one] : s.seats) {
          s.sleeps = s.sleeps || one.at == seat::phase::ending;
          if (one.at == seat::phase::ending && !one.over && now > one.deadline) {
            one.deadline = now + options_.hold_for;
            kill(one);
          }
        }
      if (s.at == shard::phase::starting && s.waiting() == 0 && s.seats.empty())
        give_up(s); // nobody waits for it any more
      else if (s.at != shard::phase::here || s.waiting() != 0)
        look_at(s);
      settle(s);
      more = more || s.waiting() != 0 || !s.flushes.empty() || s.flushing || s.sleeps
             || s.at == shard::phase::starting || s.at == shard::phase::leaving;
    }
    if (more)
      busy();
    drained_if_empty();
  }
  start_entities();
}

} // namespace troupe::detail
