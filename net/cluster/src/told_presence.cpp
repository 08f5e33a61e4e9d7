#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

#include <caf/actor_cast.hpp>

#include <troupe/runtime/logger.hpp>
#include <troupe/runtime/repeats.hpp>
#include <troupe/runtime/runtime.hpp>

#include "cluster_core.hpp"

namespace troupe::detail {

namespace {

using namespace std::chrono_literals;

constexpr duration presence_batch = 100ms;
constexpr std::uint64_t most_counted = std::uint64_t{1} << 40;

void expect_bytes(const std::string& what, std::size_t least, std::size_t most, const char* name) {
  if (what.size() < least || what.size() > most)
    throw std::invalid_argument("presence: " + std::string{name} + " has "
                                + std::to_string(what.size()) + " bytes; it may have "
                                + std::to_string(least) + " to " + std::to_string(most));
}

std::string entry_key(std::uint64_t id) {
  wire::writer key;
  key.u8(cluster_core::presence_fact).u64(id);
  return std::string{as_text(key.view())};
}

// An entry of an actor, by its room and its key.
std::string place_of(const std::string& room, const std::string& key) {
  return std::to_string(room.size()) + ' ' + room + key;
}

std::string count_key(const std::string& room) {
  return static_cast<char>(cluster_core::count_fact) + room;
}

} // namespace

// -- ours, on any thread ------------------------------------------------------------------------

void cluster_core::track(caf::strong_actor_ptr who, std::string room, std::string key,
                         std::string meta) {
  expect_bytes(room, 1, longest_room, "the room");
  expect_bytes(key, 1, longest_key, "the key");
  expect_bytes(meta, 0, longest_meta, "meta");
  home_.post([weak = weak_from_this(), who = std::move(who),
              what = own_entry{std::move(room), std::move(key), std::move(meta)}]() mutable {
    if (const auto self = running(weak))
      self->track_here(who, std::move(what));
  });
}

void cluster_core::untrack(caf::strong_actor_ptr who, std::string room, std::string key) {
  home_.post(
    [weak = weak_from_this(), who = who->id(), room = std::move(room), key = std::move(key)] {
      const auto self = running(weak);
      if (!self)
        return;
      const auto found = self->tracked_.find(who);
      if (found == self->tracked_.end())
        return;
      const auto node = found->second.extract(place_of(room, key));
      if (node) // an actor that has none stays in the table until its end
        self->drop_own(node.mapped());
    });
}

std::uint64_t cluster_core::watch_presence(caf::strong_actor_ptr who, std::string room,
                                           std::function<void(const presence_change&)> fn) {
  if (!fn)
    throw std::logic_error("presence: watch needs a function");
  expect_bytes(room, 1, longest_room, "the room");
  const auto number = ++last_watch_;
  home_.post([weak = weak_from_this(), who, room = std::move(room), number,
              fn = std::make_shared<const std::function<void(const presence_change&)>>(
                std::move(fn))]() mutable {
    if (const auto self = running(weak))
      self->board_.watch(number, who, room, std::move(fn));
    who->get()->attach_functor([weak, number] {
      if (const auto self = weak.lock())
        self->unwatch_presence(number);
    });
  });
  return number;
}

void cluster_core::unwatch_presence(std::uint64_t number) {
  home_.post([weak = weak_from_this(), number] {
    if (const auto self = running(weak))
      self->board_.unwatch(number);
  });
}

// -- ours, on loop 0 ----------------------------------------------------------------------------

void cluster_core::track_here(const caf::strong_actor_ptr& who, own_entry what) {
  const auto [of, is_new] = tracked_.try_emplace(who->id());
  auto place = place_of(what.room, what.key);
  const auto had = of->second.find(place);
  auto id = had != of->second.end() ? had->second : 0;
  if (id == 0) {
    if (own_entries_.size() >= options_.max_entries) {
      if (is_new)
        tracked_.erase(of);
      return rt_.repeats().note("cluster too many entries " + options_.name, log_level::error, [&] {
        return "node " + options_.name + " has as many entries of presence as it may, "
               + std::to_string(options_.max_entries) + " (cluster_options::max_entries): '"
               + escape_text(what.key, 64) + "' is not shown anywhere";
      });
    }
    id = ++last_entry_;
    of->second.emplace(std::move(place), id);
  }
  board_.set({options_.name, boot_}, id, what.room, what.key, what.meta);
  auto& in = own_rooms_[what.room];
  in.ids.insert(id);
  own_entries_[id] = std::move(what);
  tell_own(id);
  presence_changed();
  if (is_new)
    who->get()->attach_functor([weak = weak_from_this(), ended = who->id()] {
      const auto self = weak.lock();
      if (!self)
        return;
      self->home_.post([weak, ended] {
        const auto core = running(weak);
        if (!core)
          return;
        const auto found = core->tracked_.find(ended);
        if (found == core->tracked_.end())
          return;
        std::vector<std::uint64_t> ids;
        for (const auto& [where, one] : found->second)
          ids.push_back(one);
        std::ranges::sort(ids); // as they came
        core->tracked_.erase(found);
        for (const auto one : ids)
          core->drop_own(one);
      });
    });
}

void cluster_core::drop_own(std::uint64_t id) {
  const auto found = own_entries_.find(id);
  const auto room = std::move(found->second.room);
  own_entries_.erase(found);
  board_.remove({options_.name, boot_}, id);
  auto& in = own_rooms_[room];
  in.ids.erase(id);
  if (!in.counted)
    facts_.remove(entry_key(id));
  else if (in.ids.size() > options_.list_limit / 2)
    counted_changed_.insert(room);
  else { // few enough to be named again
    in.counted = false;
    counted_changed_.erase(room);
    facts_.remove(count_key(room));
    for (const auto one : in.ids)
      tell_own(one);
  }
  if (in.ids.empty())
    own_rooms_.erase(room);
  presence_changed();
}

void cluster_core::tell_own(std::uint64_t id) {
  const auto& what = own_entries_.at(id);
  auto& in = own_rooms_[what.room];
  if (!in.counted && in.ids.size() > options_.list_limit) {
    in.counted = true;
    for (const auto one : in.ids)
      facts_.remove(entry_key(one));
  }
  if (in.counted) {
    counted_changed_.insert(what.room);
    return;
  }
  wire::writer value;
  value.text(what.room).text(what.key).raw(what.meta);
  facts_.set(entry_key(id), std::string{as_text(value.view())});
}

// Tells of it in a moment, with whatever else changes until then.
void cluster_core::presence_changed() {
  if (!presence_call_.active())
    later(presence_batch, &cluster_core::flush_presence, presence_call_);
}

void cluster_core::flush_presence() {
  for (const auto& room : std::exchange(counted_changed_, {})) {
    const auto found = own_rooms_.find(room);
    if (found == own_rooms_.end() || !found->second.counted)
      continue;
    wire::writer value;
    value.u64(found->second.ids.size());
    facts_.set(count_key(room), std::string{as_text(value.view())});
  }
  presence_dirty_ = true;
  want_end_of_turn();
}

// -- those of others ----------------------------------------------------------------------------

bool cluster_core::take_entry(peer& who, const wire::fact& what) {
  const presence_board::owner_id owner{who.name, who.boot};
  wire::reader key{as_bytes(what.key.substr(1))};
  const auto id = key.u64();
  if (!key.ok() || !key.at_end() || id == 0)
    return false;
  presence_dirty_ = true;
  want_end_of_turn();
  if (!what.there) {
    board_.remove(owner, id);
    return true;
  }
  wire::reader value{as_bytes(what.value)};
  const auto room = value.text();
  const auto name = value.text();
  const auto meta = value.rest();
  if (!value.ok() || room.empty() || name.empty() || room.size() > longest_room
      || name.size() > longest_key || meta.size() > longest_meta)
    return false;
  if (!board_.set(owner, id, room, name, meta))
    note_too_many_entries(who);
  return true;
}

bool cluster_core::take_count(peer& who, const wire::fact& what) {
  const auto room = what.key.substr(1);
  wire::reader value{as_bytes(what.value)};
  const auto count = what.there ? value.u64() : 0;
  if (!value.ok() || room.size() > longest_room || count > most_counted)
    return false;
  presence_dirty_ = true;
  want_end_of_turn();
  if (!board_.set_count({who.name, who.boot}, room, count))
    note_too_many_entries(who);
  return true;
}

void cluster_core::note_too_many_entries(const peer& who) {
  rt_.repeats().note("cluster too many entries of " + who.name, log_level::error, [&] {
    return "node " + who.name
           + " has more entries of presence than this node's "
             "cluster_options::max_entries, "
           + std::to_string(options_.max_entries) + ": not all are shown here";
  });
}

// -- nodes that come and go ---------------------------------------------------------------------

void cluster_core::lose_presence(peer& who, presence_cause cause, duration hold) {
  board_.lose({who.name, who.boot}, cause, saturating_add(time_.now(), hold));
  expire_presence();
}

void cluster_core::expire_presence() {
  const auto now = time_.now();
  if (const auto next = board_.expire(now))
    later(*next - now, &cluster_core::expire_presence, hold_call_);
  presence_dirty_ = true;
  want_end_of_turn();
}

} // namespace troupe::detail
