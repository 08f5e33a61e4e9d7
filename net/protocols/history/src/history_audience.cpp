#include "history_audience.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <troupe/runtime/event_loop.hpp>

#include "history_core.hpp"

namespace troupe::detail {

history_audience::room& history_audience::room_of(const std::string& name) {
  auto& r = rooms_[name];
  if (!r)
    r = std::make_unique<room>(name, options_);
  return *r;
}

// Of another epoch all is new.
std::uint64_t history_audience::sequence_of(const history_position& since) const noexcept {
  return since.epoch == epoch_ ? since.sequence : 0;
}

// -- what actors here want ------------------------------------------------------------------------

deferred<resumed> history_audience::resume(pinned_actor& who, const std::string& name,
                                           history_position since, std::size_t limit,
                                           write_published write,
                                           std::function<void(const kept_message&)> fn) {
  if (core_.over())
    return fail<resumed>(errc::runtime_stopped);
  watch_end_of(who);
  auto& r = room_of(name);
  remove(r, &who);
  const auto l = std::make_shared<listener>();
  l->who = &who;
  l->write = write;
  l->fn = std::move(fn);
  l->since = since;
  l->limit = std::min(limit, options_.max_replay);
  l->waits = true;
  r.listeners.push_back(l);
  ++r.listening;
  actors_[&who].emplace_back(&r, l);
  tallies_.resumes.add();

  const auto after = r.active ? sequence_of(since) : core_.sequence_of(since);
  if (r.active && r.ring.answers(after, l->limit)) {
    const auto page = r.ring.newest(after, l->limit);
    return succeed(replay(*l, page.messages, page.floor, page.last, false));
  }
  auto result = l->promise->get_deferred();
  l->patience =
    who.call_later(options_.patience, [self = weak_from_this(), name, weak = std::weak_ptr{l}] {
      if (const auto all = self.lock())
        if (const auto waiting = weak.lock())
          all->give_up(name, waiting);
    });
  ask(r, after, l->limit);
  return result;
}

void history_audience::leave(pinned_actor& who, const std::string& name) {
  if (const auto found = rooms_.find(name); found != rooms_.end())
    remove(*found->second, &who);
}

// One question at a time, unless a larger one comes up.
void history_audience::ask(room& of, std::uint64_t after, std::size_t limit) {
  if (of.asked_after <= after && of.asked_limit >= limit)
    return;
  of.asked_after = std::min(of.asked_after, after);
  of.asked_limit = std::max(of.asked_limit, limit);
  core_.ask(loop_, of.name, of.asked_after, of.asked_limit);
}

// -- what subscribers get -------------------------------------------------------------------------

void history_audience::give(listener& to, const kept_ref& message) {
  to.last = message->at.sequence;
  if (to.write != nullptr) {
    try {
      to.write(*to.who, message->bytes, false);
    } catch (...) { // from its producer: that is its own failure
      to.who->enter([error = std::current_exception()] { std::rethrow_exception(error); });
    }
  } else {
    to.who->enter([&] { to.fn(*message); });
  }
}

resumed history_audience::replay(listener& to, const std::vector<kept_ref>& messages,
                                 std::uint64_t floor, std::uint64_t last, bool unknown) {
  resumed r;
  const auto after = sequence_of(to.since);
  const bool newcomer = to.since.epoch == 0;
  auto from = messages.begin();
  while (from != messages.end() && (*from)->at.sequence <= after)
    ++from;
  if (static_cast<std::size_t>(messages.end() - from) > to.limit) {
    from = messages.end() - static_cast<std::ptrdiff_t>(to.limit);
    floor = (*std::prev(from))->at.sequence;
  }
  r.complete =
    !unknown && (newcomer || (to.since.epoch == epoch_ && floor <= after && after <= last));
  to.waits = false;
  to.last = last;
  for (; from != messages.end() && to.who != nullptr; ++from, ++r.replayed)
    give(to, *from);
  r.at = epoch_ == 0 ? to.since : history_position{epoch_, unknown ? std::max(after, last) : last};
  tallies_.replayed.add(r.replayed);
  if (!r.complete)
    tallies_.incomplete.add();
  return r;
}

void history_audience::answer(const room& in, listener& to, const history_answer& with) {
  to.late = with.unknown && !(in.active && in.ring.known());
  if (to.patience.active())
    to.patience.cancel();
  to.who->enter([&] {
    const auto r = replay(to, with.page.messages, with.page.floor, with.page.last, with.unknown);
    if (to.who != nullptr)
      std::exchange(to.promise, abandoning_promise<resumed>{})->callback(r);
  });
}

// The store has not answered in time.
void history_audience::give_up(const std::string& name, const listener_ref& who) {
  const auto found = rooms_.find(name);
  if (found == rooms_.end() || !who->waits || who->who == nullptr)
    return;
  auto& r = *found->second;
  history_answer known;
  known.unknown = true;
  if (r.active && r.ring.known())
    known.page = r.ring.newest(sequence_of(who->since), who->limit);
  answer(r, *who, known);
}

// -- what loop 0 tells ----------------------------------------------------------------------------

void history_audience::take(const std::string& name, const std::vector<kept_ref>& messages) {
  const auto found = rooms_.find(name);
  if (found == rooms_.end() || !found->second->active)
    return;
  auto& r = *found->second;
  r.walking = true;
  for (const auto& message : messages) {
    r.ring.push(message);
    // Those who come meanwhile have it from the ring.
    for (std::size_t i = 0, n = r.listeners.size(); i < n; ++i) {
      const auto* const l = r.listeners[i].get();
      if (l->who == nullptr || l->waits || l->last >= message->at.sequence)
        continue;
      give(*r.listeners[i], message);
      tallies_.delivered.add();
    }
  }
  r.walking = false;
  tidy(r);
}

void history_audience::take(const std::string& name, const history_answer& with) {
  epoch_ = with.page.epoch;
  const auto found = rooms_.find(name);
  if (found == rooms_.end()) { // it was dropped meanwhile
    if (with.ring)
      core_.dropped(loop_, name);
    return;
  }
  auto& r = *found->second;
  if (with.ring) {
    r.ring = *with.ring;
    r.active = true;
  }
  if (with.asked_after <= r.asked_after && with.asked_limit >= r.asked_limit) {
    r.asked_after = UINT64_MAX;
    r.asked_limit = 0;
  }
  r.walking = true;
  catch_up(r);
  for (std::size_t i = 0, n = r.listeners.size(); i < n; ++i) {
    const auto l = r.listeners[i];
    if (l->who == nullptr || !l->waits)
      continue;
    const auto after = sequence_of(l->since);
    if (with.asked_after <= after && with.asked_limit >= l->limit)
      answer(r, *l, with);
    else
      ask(r, after, l->limit);
  }
  r.walking = false;
  tidy(r);
}

void history_audience::adopt(const std::string& name, const history_ring& ring) {
  const auto found = rooms_.find(name);
  if (found == rooms_.end() || !found->second->active)
    return;
  auto& r = *found->second;
  r.ring = ring;
  r.walking = true;
  catch_up(r);
  r.walking = false;
  tidy(r);
}

// Who listened when the store became another one, or could not wait for what it missed, hears what was kept until the ring
// came here. Of one who said no place nobody knows which of that is new: it gets as many of the newest as it wanted.
void history_audience::catch_up(room& of) {
  if (!of.active || !of.ring.known())
    return;
  const auto messages = of.ring.messages(); // who is told something may come and go
  for (std::size_t i = 0, n = of.listeners.size(); i < n; ++i) {
    const auto l = of.listeners[i];
    const bool renewed = std::exchange(l->renewed, false);
    const bool late = std::exchange(l->late, false);
    if (!renewed && !late)
      continue;
    const auto after = sequence_of(l->since);
    const bool cut = !renewed && l->since.epoch == 0 && messages.size() > l->limit;
    for (auto m =
           messages.begin() + static_cast<std::ptrdiff_t>(cut ? messages.size() - l->limit : 0);
         m != messages.end() && l->who != nullptr && !l->waits; ++m) {
      if ((*m)->at.sequence <= std::max(l->last, after))
        continue;
      give(*l, *m);
      tallies_.delivered.add();
    }
  }
}

void history_audience::restart(std::uint64_t epoch) {
  epoch_ = epoch;
  for (auto& [name, r] : rooms_) {
    r->ring.clear();
    r->active = false;
    r->asked_after = UINT64_MAX;
    r->asked_limit = 0;
    for (const auto& l : r->listeners) {
      l->last = 0;
      l->renewed = !l->waits;
      if (l->who != nullptr && l->waits)
        ask(*r, sequence_of(l->since), l->limit);
    }
    if (r->listening > 0)
      ask(*r, UINT64_MAX - 1, 0);
  }
}

void history_audience::drop_idle(time_point before) {
  for (auto i = rooms_.begin(); i != rooms_.end();) {
    auto& r = *i->second;
    const bool asking = r.asked_after != UINT64_MAX; // the answer is for who asks until then
    if (r.listening > 0 || asking || r.idle_since > before || r.walking) {
      ++i;
      continue;
    }
    core_.dropped(loop_, r.name);
    i = rooms_.erase(i);
  }
}

// -- its end --------------------------------------------------------------------------------------

void history_audience::watch_end_of(pinned_actor& who) {
  if (!actors_.try_emplace(&who).second)
    return;
  who.attach_functor([self = weak_from_this(), &who](const caf::error&) {
    if (const auto all = self.lock())
      all->ended(&who);
  });
}

void history_audience::ended(pinned_actor* who) {
  const auto found = actors_.find(who);
  if (found == actors_.end())
    return;
  const auto places = std::move(found->second);
  actors_.erase(found);
  for (const auto& [at, l] : places)
    silence(*at, *l);
}

void history_audience::remove(room& from, pinned_actor* who) {
  const auto places = actors_.find(who);
  if (places == actors_.end())
    return;
  const auto place =
    std::ranges::find(places->second, &from, [](const auto& p) { return p.first; });
  if (place == places->second.end())
    return;
  const auto l = std::move(place->second);
  places->second.erase(place);
  silence(from, *l);
}

void history_audience::silence(room& at, listener& who) {
  who.who = nullptr;
  if (who.patience.active())
    who.patience.cancel();
  const auto dropped = std::exchange(who.promise, abandoning_promise<resumed>{});
  if (--at.listening == 0)
    at.idle_since = event_loop::now();
  tidy(at);
}

// A list is tidied when half of it is empty, so that each who leaves costs the same.
void history_audience::tidy(room& of) {
  if (of.walking || of.listeners.size() < 2 * of.listening + 8)
    return;
  std::erase_if(of.listeners, [](const listener_ref& l) { return l->who == nullptr; });
}

} // namespace troupe::detail
