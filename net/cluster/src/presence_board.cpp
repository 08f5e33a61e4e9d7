#include "presence_board.hpp"

#include <algorithm>
#include <tuple>

#include <caf/actor_cast.hpp>

#include <troupe/runtime/basic_actor.hpp>

namespace troupe::detail {

// -- entries ------------------------------------------------------------------------------------

presence_board::owner& presence_board::owner_of(const owner_id& whose) {
  const auto [found, is_new] = owners_.try_emplace(whose, entry_nodes_);
  if (is_new)
    found->second.id = &found->first;
  return found->second;
}

presence_board::entry& presence_board::holders::of(const owner& whose, std::uint64_t id) noexcept {
  std::size_t i = 0;
  while (at(i).of != &whose || at(i).id != id)
    ++i;
  return at(i);
}

void presence_board::holders::add(entry one) {
  if (empty()) {
    first_ = std::move(one);
    return;
  }
  if (!more_)
    more_ = std::make_unique<std::vector<entry>>();
  std::size_t place = 0;
  while (place < size()
         && std::tie(*at(place).of->id, at(place).id) < std::tie(*one.of->id, one.id))
    ++place;
  if (place == 0)
    std::swap(first_, one);
  more_->insert(more_->begin() + static_cast<std::ptrdiff_t>(place == 0 ? 0 : place - 1),
                std::move(one));
}

void presence_board::holders::remove(const owner& whose, std::uint64_t id) {
  std::size_t place = 0;
  while (at(place).of != &whose || at(place).id != id)
    ++place;
  if (!more_) {
    first_ = {nullptr, 0, {}};
    return;
  }
  if (place == 0)
    first_ = std::move(more_->front());
  more_->erase(more_->begin() + static_cast<std::ptrdiff_t>(place == 0 ? 0 : place - 1));
  if (more_->empty())
    more_ = nullptr;
}

// Whoever is there for certain is shown rather than who is held.
presence_entry presence_board::shown(const std::string& key, const holders& all) {
  std::size_t first = 0;
  while (first < all.size() && all.at(first).of->lost)
    ++first;
  const auto& one = all.at(first < all.size() ? first : 0);
  return {key, one.meta, one.of->id->first, all.size()};
}

void presence_board::note(const std::string& name, room& in, const std::string& key,
                          presence_cause cause) {
  if (in.watchers.empty())
    return;
  note_count(name, in);
  const auto [change, is_new] = in.changes.try_emplace(key);
  change->second.cause = cause;
  if (!is_new)
    return;
  const auto there = in.keys.find(key);
  if (there != in.keys.end())
    change->second.before = shown(key, there->second);
}

void presence_board::note_count(const std::string& name, room& in) {
  if (in.watchers.empty())
    return;
  if (!in.count_before)
    in.count_before = count_of(in);
  dirty_.insert(name);
}

bool presence_board::set(const owner_id& whose, std::uint64_t id, std::string_view room_name,
                         std::string_view key, std::string_view meta) {
  const std::lock_guard lock{mutex_};
  auto& by = owner_of(whose);
  const auto known = by.entries.find(id);
  if (known != by.entries.end() && known->second.in->first == room_name
      && known->second.key->first == key) {
    auto& [in, where, generation] = known->second;
    generation = by.generation;
    auto& one = where->second.of(by, id);
    if (one.meta != meta) {
      note(in->first, in->second, where->first, presence_cause::joined);
      one.meta = meta;
    }
    return true;
  }
  if (known != by.entries.end())
    take(by, id, presence_cause::left);
  if (by.entries.size() >= most_)
    return false;
  auto& in = *rooms_.try_emplace(std::string{room_name}, key_nodes_).first;
  const std::string who{key};
  note(in.first, in.second, who, by.healing ? presence_cause::healed : presence_cause::joined);
  const auto where = in.second.keys.try_emplace(who).first;
  by.entries.emplace(id, located{&in, where, by.generation});
  where->second.add({&by, id, std::string{meta}});
  return true;
}

void presence_board::remove(const owner_id& whose, std::uint64_t id, presence_cause cause) {
  const std::lock_guard lock{mutex_};
  const auto found = owners_.find(whose);
  if (found != owners_.end())
    take(found->second, id, cause);
}

void presence_board::take(owner& from, std::uint64_t id, presence_cause cause) {
  const auto known = from.entries.find(id);
  if (known == from.entries.end())
    return;
  const auto [in, where, generation] = known->second;
  from.entries.erase(known);
  note(in->first, in->second, where->first, cause);
  where->second.remove(from, id);
  if (where->second.empty())
    in->second.keys.erase(where);
  tidy(rooms_.find(in->first));
}

// -- counts -------------------------------------------------------------------------------------

bool presence_board::set_count(const owner_id& whose, std::string_view room_name,
                               std::uint64_t count) {
  const std::lock_guard lock{mutex_};
  auto& by = owner_of(whose);
  const std::string name{room_name};
  const auto known = by.counts.find(name);
  if (count == 0) {
    take_count(by, name);
    return true;
  }
  if (known == by.counts.end() && by.counts.size() >= most_)
    return false;
  auto& in = room_of(name);
  auto& there = by.counts[name];
  there.generation = by.generation;
  if (there.count == count)
    return true;
  note_count(name, in);
  in.counted += count - there.count;
  there.count = count;
  return true;
}

void presence_board::take_count(owner& from, const std::string& name) {
  const auto known = from.counts.find(name);
  if (known == from.counts.end())
    return;
  const auto which = rooms_.find(name);
  note_count(name, which->second);
  which->second.counted -= known->second.count;
  from.counts.erase(known);
  tidy(which);
}

void presence_board::tidy(rooms::iterator which) {
  const auto& in = which->second;
  if (in.keys.empty() && in.counted == 0 && in.watchers.empty() && in.changes.empty())
    rooms_.erase(which);
}

// -- owners -------------------------------------------------------------------------------------

void presence_board::begin_whole(const owner_id& whose) {
  const std::lock_guard lock{mutex_};
  ++owner_of(whose).generation;
}

void presence_board::end_whole(const owner_id& whose) {
  const std::lock_guard lock{mutex_};
  auto& by = owner_of(whose);
  std::vector<std::uint64_t> gone;
  for (const auto& [id, where] : by.entries)
    if (where.generation != by.generation)
      gone.push_back(id);
  std::vector<std::string> uncounted;
  for (const auto& [name, there] : by.counts)
    if (there.generation != by.generation)
      uncounted.push_back(name);
  for (const auto id : gone)
    take(by, id, presence_cause::left);
  for (const auto& name : uncounted)
    take_count(by, name);
  by.healing = false;
}

void presence_board::lose(const owner_id& whose, presence_cause cause, time_point until) {
  const std::lock_guard lock{mutex_};
  const auto found = owners_.find(whose);
  if (found == owners_.end() || found->second.lost)
    return;
  note_all(found->second, cause);
  found->second.lost = true;
  found->second.cause = cause;
  found->second.until = until;
}

void presence_board::replace(const owner_id& whose) {
  const std::lock_guard lock{mutex_};
  const auto found = owners_.find(whose);
  if (found == owners_.end())
    return;
  for (auto one = owners_.lower_bound({whose.first, 0});
       one != owners_.end() && one->first.first == whose.first; ++one)
    if (one->second
          .replaced) // one earlier process is held, not all of a name that comes and comes again
      one->second.until = {};
  auto& by = found->second;
  by.replaced = true;
  if (by.entries.empty() && by.counts.empty())
    owners_.erase(found);
}

void presence_board::keep(const owner_id& whose) {
  const std::lock_guard lock{mutex_};
  const auto found = owners_.find(whose);
  if (found == owners_.end() || !found->second.lost)
    return;
  note_all(found->second, presence_cause::healed);
  found->second.lost = false;
}

// Others may be shown for its keys from now on.
void presence_board::note_all(const owner& of, presence_cause cause) {
  for (const auto& [id, where] : of.entries)
    note(where.in->first, where.in->second, where.key->first, cause);
}

void presence_board::take_all(owner& from, presence_cause cause) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, where] : from.entries)
    ids.push_back(id);
  std::vector<std::string> names;
  for (const auto& [name, there] : from.counts)
    names.push_back(name);
  for (const auto id : ids)
    take(from, id, cause);
  for (const auto& name : names)
    take_count(from, name);
}

std::optional<time_point> presence_board::expire(time_point now) {
  const std::lock_guard lock{mutex_};
  std::optional<time_point> next;
  for (auto one = owners_.begin(); one != owners_.end();) {
    auto& by = one->second;
    const bool has_any = !by.entries.empty() || !by.counts.empty();
    if (by.lost && by.until <= now) {
      take_all(by, by.cause);
      by.healing = by.healing || has_any;
      if (by.replaced) {
        one = owners_.erase(one);
        continue;
      }
    } else if (by.lost && (!next || by.until < *next)) {
      next = by.until;
    }
    ++one;
  }
  return next;
}

// -- readers ------------------------------------------------------------------------------------

std::vector<presence_entry> presence_board::list(std::string_view name, std::size_t limit) const {
  const std::lock_guard lock{mutex_};
  std::vector<presence_entry> all;
  const auto found = rooms_.find(std::string{name});
  if (found != rooms_.end())
    for (const auto& [key, entries] : found->second.keys) {
      if (all.size() >= limit)
        break;
      all.push_back(shown(key, entries));
    }
  return all;
}

std::size_t presence_board::count(std::string_view name) const {
  const std::lock_guard lock{mutex_};
  const auto found = rooms_.find(std::string{name});
  return found == rooms_.end() ? 0 : count_of(found->second);
}

std::size_t presence_board::entries() const {
  const std::lock_guard lock{mutex_};
  std::size_t sum = 0;
  for (const auto& [whose, by] : owners_)
    sum += by.entries.size();
  return sum;
}

presence_change presence_board::present_in(const std::string& name, const room& in) {
  presence_change all;
  all.room = name;
  all.count = count_of(in);
  for (const auto& [key, entries] : in.keys)
    all.joins.push_back(shown(key, entries));
  return all;
}

void presence_board::watch(std::uint64_t number, const caf::strong_actor_ptr& who,
                           const std::string& name, listener fn) {
  flush(); // so that what is told next comes behind what is told now
  auto now = std::make_shared<presence_change>();
  {
    const std::lock_guard lock{mutex_};
    auto& in = room_of(name);
    *now = present_in(name, in);
    in.watchers.push_back({number, caf::actor_cast<caf::weak_actor_ptr>(who), fn});
    watched_.emplace(number, name);
  }
  basic_actor::run_as(who, [fn = std::move(fn), now] { (*fn)(*now); });
}

void presence_board::unwatch(std::uint64_t number) {
  const std::lock_guard lock{mutex_};
  const auto found = watched_.find(number);
  if (found == watched_.end())
    return;
  const auto which = rooms_.find(found->second);
  watched_.erase(found);
  if (which == rooms_.end())
    return;
  std::erase_if(which->second.watchers, [&](const auto& w) { return w.number == number; });
  tidy(which);
}

void presence_board::flush() {
  struct delivery {
    caf::strong_actor_ptr who;
    listener fn;
    std::shared_ptr<const presence_change> what;
  };
  std::vector<delivery>
    deliveries; // outside of the lock, as what keeps actors: one may end with that
  std::vector<caf::strong_actor_ptr> alive;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& name : std::exchange(dirty_, {})) {
      const auto which = rooms_.find(name);
      if (which == rooms_.end())
        continue;
      auto& in = which->second;
      std::map<presence_cause, presence_change> by_cause;
      for (auto& [key, change] : std::exchange(in.changes, {})) {
        const auto there = in.keys.find(key);
        const bool is_there = there != in.keys.end();
        if (!is_there && !change.before)
          continue; // came and went
        auto now = is_there ? shown(key, there->second) : presence_entry{};
        if (!change.before)
          by_cause[change.cause].joins.push_back(std::move(now));
        else if (!is_there)
          by_cause[change.cause].leaves.push_back(std::move(*change.before));
        else if (now.meta != change.before->meta)
          by_cause[presence_cause::joined].updates.push_back(std::move(now));
      }
      const auto count = count_of(in);
      const auto before = std::exchange(in.count_before, {}).value_or(count);
      if (by_cause.empty() && before != count)
        by_cause[before < count ? presence_cause::joined : presence_cause::left];
      for (auto& [cause, change] : by_cause) {
        change.room = name;
        change.cause = cause;
        change.count = count;
        const auto shared = std::make_shared<const presence_change>(std::move(change));
        for (const auto& one : in.watchers)
          if (auto who = one.who.lock())
            deliveries.push_back({std::move(who), one.fn, shared});
      }
      std::erase_if(in.watchers, [&](const auto& one) {
        if (auto who = one.who.lock()) {
          alive.push_back(std::move(who));
          return false;
        }
        watched_.erase(one.number);
        return true;
      });
      tidy(which);
    }
  }
  for (const auto& one : deliveries)
    basic_actor::run_as(one.who, [fn = one.fn, what = one.what] { (*fn)(*what); });
}

} // namespace troupe::detail
