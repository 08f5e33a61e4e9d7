#include <troupe/cluster/presence.hpp>

#include <utility>

#include <troupe/cluster/cluster.hpp>

#include "cluster_core.hpp"

namespace troupe {

std::string_view to_string(presence_cause cause) noexcept {
  switch (cause) {
  case presence_cause::present:
    return "present";
  case presence_cause::joined:
    return "joined";
  case presence_cause::left:
    return "left";
  case presence_cause::node_left:
    return "node_left";
  case presence_cause::node_down:
    return "node_down";
  case presence_cause::healed:
    return "healed";
  }
  return "unknown";
}

presence::presence(const cluster& of) : core_(of.core_) {}

std::vector<presence_entry> presence::list(std::string_view room, std::size_t limit) const {
  const auto core = core_.lock();
  return core ? core->board().list(room, limit) : std::vector<presence_entry>{};
}

std::size_t presence::count(std::string_view room) const {
  const auto core = core_.lock();
  return core ? core->board().count(room) : 0;
}

void presence::add(caf::strong_actor_ptr who, std::string room, std::string key, std::string meta) {
  if (const auto core = core_.lock())
    core->track(std::move(who), std::move(room), std::move(key), std::move(meta));
}

void presence::remove(caf::strong_actor_ptr who, std::string room, std::string key) {
  if (const auto core = core_.lock())
    core->untrack(std::move(who), std::move(room), std::move(key));
}

std::uint64_t presence::add_watch(caf::strong_actor_ptr who, std::string room,
                                  std::function<void(const presence_change&)> fn) {
  const auto core = core_.lock();
  return core ? core->watch_presence(std::move(who), std::move(room), std::move(fn)) : 0;
}

void presence::unwatch(std::uint64_t number) {
  if (const auto core = core_.lock())
    core->unwatch_presence(number);
}

} // namespace troupe
