#include "web_rooms.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "names.hpp"

using nlohmann::json;

namespace {

constexpr std::size_t described = 2000; // names that a page is told when it comes

} // namespace

json web_room::description() const {
  json here = json::array();
  for (const auto& [its_look, shown] : present) {
    if (here.size() == described)
      break;
    here.push_back(shown);
  }
  const auto more = present.size() - here.size();
  return {
    {"is", "room"}, {"room", look}, {"name", name}, {"here", std::move(here)}, {"more", more}};
}

void web_rooms::entered(const std::string& name, const std::string& room) {
  auto& r = get(room);
  const auto look = look_of(name);
  changed_ = true;
  if (!r.present.try_emplace(look, name).second)
    return;
  places_[look].insert(r.look);
  tell_(r, {{"is", "came"}, {"room", r.look}, {"who", name}});
}

void web_rooms::left(const std::string& name, const std::string& room) {
  if (auto* const r = find(look_of(room)))
    end(*r, look_of(name));
}

void web_rooms::renamed(const std::string& former, const std::string& name) {
  const auto before = look_of(former);
  const auto after = look_of(name);
  auto moved = places_.extract(before);
  if (moved.empty())
    return;
  for (const auto& look : moved.mapped()) {
    auto& r = *find(look);
    r.present.erase(before);
    r.present.insert_or_assign(after, name);
    tell_(r, {{"is", "renamed"}, {"room", look}, {"from", former}, {"to", name}});
  }
  places_[after].merge(moved.mapped());
}

void web_rooms::gone(const std::string& name) {
  const auto look = look_of(name);
  const auto found = places_.find(look);
  if (found == places_.end())
    return;
  const auto left = found->second; // which shrinks meanwhile
  for (const auto& room : left)
    end(*find(room), look);
}

web_room& web_rooms::get(const std::string& name) {
  auto look = look_of(name);
  const auto [found, made] = rooms_.try_emplace(look);
  if (made) {
    found->second.look = std::move(look);
    found->second.name = name;
  }
  return found->second;
}

web_room* web_rooms::find(std::string_view look) {
  const auto found = rooms_.find(look);
  return found == rooms_.end() ? nullptr : &found->second;
}

void web_rooms::end(web_room& room, const std::string& look) {
  const auto found = room.present.find(look);
  if (found == room.present.end())
    return;
  const auto who = std::move(found->second);
  room.present.erase(found);
  const auto places = places_.find(look);
  places->second.erase(room.look);
  if (places->second.empty())
    places_.erase(places);
  changed_ = true;
  tell_(room, {{"is", "left"}, {"room", room.look}, {"who", who}});
  tidy(room);
}

void web_rooms::tidy(web_room& room) {
  if (room.pages == 0 && room.present.empty())
    rooms_.erase(rooms_.find(room.look));
}

json web_rooms::list(std::size_t most) const {
  std::vector<const web_room*> all;
  for (const auto& [look, r] : rooms_)
    if (!r.present.empty())
      all.push_back(&r);
  const auto shown = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown), all.end(),
                    [](const web_room* a, const web_room* b) {
                      return a->present.size() != b->present.size()
                               ? a->present.size() > b->present.size()
                               : a->look < b->look;
                    });
  json rooms = json::array();
  for (std::size_t i = 0; i < shown; ++i)
    rooms.push_back({all[i]->name, all[i]->present.size()});
  return {{"is", "rooms"}, {"rooms", std::move(rooms)}};
}

json said_in(const std::string& look, std::string_view lines) {
  json said = json::array();
  while (!lines.empty()) {
    const auto line = lines.substr(0, lines.find("\r\n"));
    lines.remove_prefix(std::min(lines.size(), line.size() + 2));
    const auto end = line.find("> "); // no name has one in it
    if (line.starts_with('<') && end != std::string_view::npos)
      said.push_back({line.substr(1, end - 1), line.substr(end + 2)});
    else if (line.starts_with("* "))
      said.push_back({"", line.substr(2)});
  }
  return {{"is", "said"}, {"room", look}, {"lines", std::move(said)}};
}
