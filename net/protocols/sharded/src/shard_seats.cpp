#include <algorithm>
#include <chrono>
#include <utility>

#include <caf/actor_cast.hpp>
#include <caf/mailbox_element.hpp>
#include <caf/send.hpp>
#include <spdlog/logger.h>

#include <troupe/cluster/cluster_actor.hpp>
#include <troupe/cluster/detail/message_codec.hpp>
#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/loop_scheduler.hpp>
#include <troupe/runtime/repeats.hpp>

#include "placement.hpp"
#include "sharded_core.hpp"

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

entity& entity_of(const caf::strong_actor_ptr& who) {
  return *static_cast<entity*>(caf::actor_cast<caf::abstract_actor*>(who));
}

} // namespace

// -- messages for entities here -----------------------------------------------------------------

// Puts a message that has waited where it belongs; it is here.
void sharded_core::put(shard& s, letter what) {
  auto& to = s.seats[what.key];
  if (to.at == seat::phase::running) {
    --count_.held;
    return deliver(to, std::move(what));
  }
  ++s.held_in_seats;
  auto key = what.key;
  to.held.push_back(std::move(what));
  if (to.at == seat::phase::waiting)
    want_start(s, key);
}

void sharded_core::deliver(seat& to, letter what) {
  if (!what.asker) {
    to.who->enqueue(
      caf::make_mailbox_element(nullptr, caf::make_message_id(), {}, std::move(what.content)),
      nullptr);
    return;
  }
  auto asked = relay(what);
  asked->watch(*region_, to.who);
  region_->send_request(to.who, std::max(what.answer_by - time(), duration{1ms}),
                        std::move(what.content), asked);
}

// What is held in a seat goes back to its shard: it moves, too.
void sharded_core::hold_again(shard& s, seat& of) {
  s.held_in_seats -= of.held.size();
  for (auto& one : std::exchange(of.held, {}))
    s.held.push_back(std::move(one));
}

void sharded_core::fail_letter(letter& what, const failure& why) {
  --count_.held;
  if (what.asker) {
    ++count_.messages_told;
    return respond_to(what.asker, what.id, why);
  }
  ++count_.messages_dropped;
  rt_.repeats().note("sharded dropped " + host_name_, log_level::warn, [&] {
    return "node " + us_ + " drops a message for entity '" + escape_text(what.key, 64) + "' of '"
           + escape_text(options_.name, 64) + "': " + why.message();
  });
}

void sharded_core::expire(shard& s, time_point now) {
  std::vector<letter> late;
  const auto look = [&](std::deque<letter>& letters) {
    const auto before = letters.size();
    auto kept = std::stable_partition(letters.begin(), letters.end(),
                                      [now](const auto& one) { return one.until >= now; });
    std::move(kept, letters.end(), std::back_inserter(late));
    letters.erase(kept, letters.end());
    return before - letters.size();
  };
  look(s.held);
  look(s.behind);
  for (auto& [key, one] : s.seats)
    if (!one.held.empty())
      s.held_in_seats -= look(one.held);
  const failure why{errc::timed_out, s.owner.empty() ? "no node hosts '" + options_.name + "'"
                                                     : "it could not be started on node " + s.owner
                                                         + " in time (sharded_options::hold_for)"};
  for (auto& one : late)
    fail_letter(one, why);
}

// -- the beginning ------------------------------------------------------------------------------

void sharded_core::want_start(shard& s, const std::string& key) {
  if (!std::exchange(s.seats.at(key).starting, true))
    to_start_.emplace_back(s.number, key);
}

// Makes those who are wanted, outside of the lock: that is the user's code.
void sharded_core::start_entities() {
  for (;;) {
    entity_start begin;
    std::uint32_t number = 0;
    {
      const lock guard{mutex_};
      if (to_start_.empty() || ended_)
        return;
      std::tie(number, begin.key) = std::move(to_start_.back());
      to_start_.pop_back();
      auto& s = shards_[number];
      const auto found = s.seats.find(begin.key);
      if (found == s.seats.end() || found->second.at != seat::phase::waiting
          || !found->second.starting)
        continue;
      if (s.at != shard::phase::here) {
        found->second.starting = false;
        continue;
      }
      if (found->second.state)
        begin.state = *found->second.state;
      begin.held = s.held_lease.view();
      begin.place = {weak_from_this(), number, ++last_instance_};
      found->second.number = last_instance_;
    }
    const auto key = begin.key;
    const auto instance = begin.place.number;
    caf::strong_actor_ptr made;
    failure why;
    try {
      made = make_((hash_of(key) >> 32) % rt_.loops(), std::move(begin));
    } catch (...) {
      why = failure::current();
      rt_.logger().error("node {}: entity '{}' of '{}' cannot be made: {}", us_,
                         escape_text(key, 64), escape_text(options_.name, 64), why.message());
    }
    const lock guard{mutex_};
    auto& s = shards_[number];
    const auto found = s.seats.find(key);
    const bool wanted = found != s.seats.end() && found->second.number == instance
                        && found->second.at == seat::phase::waiting && s.at == shard::phase::here
                        && !ended_;
    if (!wanted) {
      if (found != s.seats.end() && found->second.number == instance)
        found->second.starting = false;
      if (made)
        caf::anon_send_exit(caf::actor_cast<caf::actor>(made), caf::exit_reason::kill);
      continue;
    }
    auto& to = found->second;
    to.starting = false;
    auto letters = std::exchange(to.held, {});
    s.held_in_seats -= letters.size();
    if (!made) {
      for (auto& one : letters)
        fail_letter(one, {errc::child_start_failed, "entity '" + escape_text(key, 64)
                                                      + "' cannot be made: " + why.message()});
      s.seats.erase(found);
      settle(s);
      continue;
    }
    to.at = seat::phase::running;
    to.who = made;
    to.state.reset();
    ++count_.started;
    ++count_.entities;
    made->get()->attach_functor([weak = weak_from_this(), number, key, instance] {
      const auto self = weak.lock();
      if (self)
        self->on_loop_0(
          [number, key, instance](sharded_core& core) { core.ended(number, key, instance); });
    });
    count_.held -= letters.size();
    for (auto& one : std::exchange(to.merges, {}))
      basic_actor::run_as(
        made, [self = &entity_of(made), state = std::move(one)] { self->merge(state); });
    for (auto& one : letters)
      deliver(to, std::move(one));
    settle(s);
  }
}

// -- the end ------------------------------------------------------------------------------------

bool sharded_core::sleep(const entity& who) {
  const lock guard{mutex_};
  auto& s = shards_[who.begin_.place.shard];
  const auto found = s.seats.find(who.key());
  if (ended_ || s.at != shard::phase::here || found == s.seats.end()
      || found->second.number != who.begin_.place.number
      || found->second.at != seat::phase::running)
    return false;
  ++count_.slept;
  let_go(found->second, entity_end::idle);
  s.sleeps = true;
  want(s);
  return true;
}

// Behind all that it has been sent; what comes now waits.
void sharded_core::let_go(seat& of, entity_end why) {
  of.at = seat::phase::ending;
  of.why = why;
  of.deadline = time() + options_.hand_over_within;
  basic_actor::run_as(of.who, [self = &entity_of(of.who), why] { self->let_go(why); });
}

void sharded_core::kill(seat& of) {
  of.at = seat::phase::ending;
  of.why = entity_end::stopped;
  of.deadline = time() + options_.hold_for;
  ++count_.killed;
  basic_actor::run_urgently(
    of.who, [self = &entity_of(of.who)] { self->quit(caf::exit_reason::kill); },
    &entity_of(of.who).loop());
}

void sharded_core::handed(const entity& who, outcome<caf::message> state) {
  on_loop_0([number = who.begin_.place.shard, instance = who.begin_.place.number, key = who.key(),
             state = std::move(state)](sharded_core& core) mutable {
    const lock guard{core.mutex_};
    auto& s = core.shards_[number];
    const auto found = s.seats.find(key);
    if (found == s.seats.end() || found->second.number != instance
        || found->second.why != entity_end::moved)
      return;
    if (state)
      found->second.state = *std::move(state);
    else
      ++core.count_.states_lost;
  });
}

void sharded_core::ended(std::uint32_t number, const std::string& key, std::uint64_t instance) {
  {
    const lock guard{mutex_};
    auto& s = shards_[number];
    const auto found = s.seats.find(key);
    if (found == s.seats.end() || found->second.number != instance || !found->second.who)
      return;
    auto& one = found->second;
    --count_.entities;
    one.who = nullptr;
    if (one.at == seat::phase::running) {
      ++count_.ended;
      s.seats.erase(found);
    } else {
      one.over = true;
      one.deadline = time() + options_.hold_for;
      if (s.at == shard::phase::leaving) {
        advance_leaving(s);
      } else if (one.held.empty() && !one.state) {
        s.seats.erase(found);
      } else { // somebody has woken it
        one.at = seat::phase::waiting;
        one.over = false;
        if (s.at == shard::phase::here)
          want_start(s, key);
      }
    }
    settle(s);
  }
  start_entities();
}

// -- states of others, and for them -------------------------------------------------------------

void sharded_core::push(shard& s, const std::string& key, seat& of) {
  const auto to = s.push_to.empty() ? s.owner : s.push_to;
  if (of.pushed || to.empty())
    return;
  std::string bytes;
  if (const auto why = write_message(bytes, rt_.system(), *of.state)) {
    rt_.repeats().note("sharded state " + host_name_, log_level::error, [&] {
      return "node " + us_ + ": the state of entity '" + escape_text(key, 64) + "' of '"
             + escape_text(options_.name, 64) + "' does not travel: " + why.message();
    });
    of.deadline = {}; // it is lost
    return;
  }
  of.pushed = true;
  const auto origin =
    us_ + '/' + std::to_string(cluster_.incarnation()) + '/' + std::to_string(of.number);
  troupe::ask<bool>(*region_, region_of(to), 2s, caf::atom("take"), options_.shards, key, origin,
                    std::move(bytes))
    .add_both(
      [weak = weak_from_this(), number = s.number, key, instance = of.number](outcome<bool> got) {
        const auto self = weak.lock();
        if (!self)
          return;
        const lock guard{self->mutex_};
        auto& that = self->shards_[number];
        const auto found = that.seats.find(key);
        if (found == that.seats.end() || found->second.number != instance
            || found->second.at != seat::phase::ending)
          return;
        if (got) {
          ++self->count_.handed_over;
          self->hold_again(that, found->second);
          that.seats.erase(found);
          if (that.at == shard::phase::leaving)
            self->advance_leaving(that);
          return self->settle(that);
        }
        found->second.pushed = false; // the next look tries again
        that.push_to.clear();
      });
}

void sharded_core::take(const std::string& key, const std::string& origin, const std::string& bytes,
                        const waiting_question& what) {
  {
    const lock guard{mutex_};
    auto& s = shard_at(key);
    if (s.at == shard::phase::leaving || (s.at != shard::phase::here && s.owner != us_))
      return respond_to(what.asker, what.id,
                        failure{errc::no_route, "node " + us_ + " is not to have entity '"
                                                  + escape_text(key, 64) + "'"});
    auto state = read_message(rt_.system(), as_bytes(bytes));
    if (!state)
      return respond_to(what.asker, what.id, state.error());
    auto& to = s.seats[key];
    if (to.taken != origin) { // else the answer was lost
      to.taken = origin;
      if (to.at == seat::phase::running) {
        ++count_.merged;
        basic_actor::run_as(
          to.who, [self = &entity_of(to.who), state = *std::move(state)] { self->merge(state); });
      } else {
        if (to.state) {
          ++count_.merged;
          to.merges.push_back(*std::move(state));
        } else {
          ++count_.taken_over;
          to.state = *std::move(state);
        }
        if (s.at == shard::phase::here && to.at == seat::phase::waiting)
          want_start(s, key);
      }
    }
    respond_to(what.asker, what.id, caf::make_message(true));
    look_at(s);
  }
  start_entities();
}

} // namespace troupe::detail
