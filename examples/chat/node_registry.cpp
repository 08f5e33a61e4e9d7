#include "node_registry.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <tuple>
#include <utility>

#include <caf/message_handler.hpp>
#include <caf/send.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/respond.hpp>
#include <troupe/cluster/cluster.hpp>
#include <troupe/runtime/runtime.hpp>

#include "node_front.hpp"
#include "rooms.hpp"

namespace {

constexpr auto room_of_all = "chat";
constexpr auto served_as = "users";

std::uint64_t date() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
    std::chrono::duration_cast<std::chrono::microseconds>(since).count());
}

} // namespace

node_registry::node_registry(caf::actor_config& cfg, troupe::cluster* of,
                             std::shared_ptr<chat_rooms> rooms)
  : user_registry(cfg), cluster_(*of), chat_rooms_(std::move(rooms)), presence_(*of),
    key_prefix_(of->name() + '/' + std::to_string(date()) + '/') {}

caf::behavior node_registry::make_behavior() {
  front_ = cluster_.home().spawn<node_front>(caf::actor_cast<caf::actor>(this));
  cluster_.serve(served_as, front_);
  presence_.watch(*this, room_of_all, [this](const troupe::presence_change& c) { changed(c); });
  return caf::message_handler{
    [this](rival_atom, const std::string& name, std::uint64_t since, const std::string& node) {
      return troupe::respond_with(*this, rival(name, since, node));
    },
    [this](bump_atom, const std::string& name, std::uint64_t since, const std::string& node) {
      bump(name, since, node);
    },
    [this](pass_atom, const std::string& from, const std::string& to, const std::string& text) {
      tell_user(from, to, text);
    },
  }
    .or_else(user_registry::make_behavior());
}

void node_registry::on_exit() {
  caf::anon_send_exit(std::exchange(front_, {}), caf::exit_reason::user_shutdown);
  questions_.clear();
  user_registry::on_exit();
}

// -- names ------------------------------------------------------------------------------------------

// [take]
void node_registry::take(users::value_type& who, const claimant& to) {
  who.second.actor = to.actor;
  who.second.name = to.name;
  who.second.since = last_since_ = std::max(last_since_ + 1, date());
  who.second.asked_for = true;
  std::vector<std::string> nodes;
  for (const auto& n : cluster_.nodes())
    if (n.state == troupe::node_state::up || n.state == troupe::node_state::suspected)
      nodes.push_back(n.name);
  const auto number = ++last_question_;
  const auto look = who.first;
  const auto since = who.second.since;
  questions_[number] = {look, to, nodes.size() + 1}; // the last answer is ours, when all are asked
  for (const auto& node : nodes)
    troupe::ask<bool>(*this, cluster_.actor(served_as, node), patience_with_nodes,
                      rival_atom::value, to.name, since, cluster_.name())
      .add_both([this, number, look, node](const troupe::outcome<bool>& got) {
        answered(number, got ? *got : !is_held(look, node));
      });
  answered(number, true);
}
// [/take]

// Tells whether a node that has not answered, and is there, was last known to have this user.
bool node_registry::is_held(const std::string& look, const std::string& node) const {
  const auto known = people_.find(look);
  if (known == people_.end() || known->second.node != node)
    return false;
  const auto nodes = cluster_.nodes();
  return std::any_of(nodes.begin(), nodes.end(), [&](const troupe::node_info& n) {
    return n.name == node && n.state == troupe::node_state::up;
  });
}

void node_registry::answered(std::uint64_t number, bool free) {
  const auto found = questions_.find(number);
  if (found == questions_.end())
    return;
  if (free && --found->second.left > 0)
    return;
  const auto asked = std::move(found->second);
  questions_.erase(found);
  const auto user = users_.find(asked.look);
  if (user == users_.end() || !user->second.asked_for || user->second.actor != asked.who.actor)
    return; // it has gone meanwhile
  if (!free)
    return refuse(asked.look);
  user->second.asked_for = false;
  grant(*user, asked.who);
  told_of(asked.look); // if it has entered nothing
}

void node_registry::refuse(const std::string& look) {
  const auto found = users_.find(look);
  const auto who = found->second.actor;
  users_.erase(found);
  std::erase_if(questions_, [&](const auto& q) { return q.second.look == look; });
  tell(who, caf::make_message(taken_atom::value));
  refuse_claimants(look);
}

// Another node asks whether a name is free here.
troupe::deferred<bool> node_registry::rival(const std::string& name, std::uint64_t since,
                                            const std::string& node) {
  const auto look = look_of(name);
  const auto found = users_.find(look);
  if (found == users_.end())
    return troupe::succeed(true);
  if (!found->second.asked_for) {
    const auto answer = std::make_shared<troupe::promise<bool>>();
    auto result = answer->get_deferred();
    wait_for(*found, {.elsewhere = answer});
    // By then the other node has taken silence for an answer; the name, when it is released, is for those who still want it.
    call_later(patience_with_nodes, [this, look, weak = std::weak_ptr{answer}] {
      if (const auto late = weak.lock())
        forget(look, late);
    });
    return result;
  }
  if (std::tie(found->second.since, cluster_.name()) < std::tie(since, node))
    return troupe::succeed(false);
  refuse(look);
  return troupe::succeed(true);
}

// Another node has a user who had the name before ours.
void node_registry::bump(const std::string& name, std::uint64_t since, const std::string& node) {
  const auto* const user = find_user(look_of(name));
  if (user != nullptr && std::tie(since, node) < std::tie(user->since, cluster_.name()))
    tell(user->actor, caf::make_message(bumped_atom::value, user->name));
}

// -- what others are told -----------------------------------------------------------------------------

std::string node_registry::next_key() {
  return key_prefix_ + std::to_string(++last_key_);
}

node_registry::told& node_registry::told_of(const std::string& look) {
  const auto [found, made] = told_.try_emplace(look);
  auto& who = found->second;
  if (made) {
    const auto* const user = find_user(look);
    who.name = user->name;
    who.since = user->since;
    who.key = next_key();
    track(who);
  }
  return who;
}

void node_registry::track(const told& who) {
  const auto head = std::to_string(who.since) + '\n' + who.name + '\n';
  presence_.track(*this, room_of_all, who.key, head);
  for (const auto& [look, p] : who.places)
    presence_.track(*this, room_of_all, p.key, head + p.room);
}

void node_registry::happened(entered_atom, const std::string& name, const std::string& room) {
  auto& who = told_of(look_of(name));
  const auto [found, made] = who.places.try_emplace(look_of(room));
  if (!made)
    return; // under another name
  found->second = {next_key(), room};
  presence_.track(*this, room_of_all, found->second.key,
                  std::to_string(who.since) + '\n' + who.name + '\n' + room);
}

void node_registry::happened(left_atom, const std::string& name, const std::string& room) {
  const auto who = told_.find(look_of(name));
  if (who == told_.end())
    return;
  const auto where = who->second.places.find(look_of(room));
  if (where == who->second.places.end())
    return;
  presence_.untrack(*this, room_of_all, where->second.key);
  who->second.places.erase(where);
  show_again(who->first, look_of(room));
}

void node_registry::happened(renamed_atom, const std::string& former, const std::string& name) {
  auto moved = told_.extract(look_of(former));
  if (moved.empty())
    return;
  moved.key() = look_of(name);
  auto& who = moved.mapped();
  who.name = name;
  if (const auto* const user = find_user(moved.key()))
    who.since = user->since;
  track(who);
  told_.insert(std::move(moved));
}

void node_registry::happened(gone_atom, const std::string& name) {
  const auto moved = told_.extract(look_of(name));
  if (moved.empty())
    return;
  presence_.untrack(*this, room_of_all, moved.mapped().key);
  for (const auto& [look, p] : moved.mapped().places) {
    presence_.untrack(*this, room_of_all, p.key);
    show_again(moved.key(), look);
  }
}

// Who has left here is in the room all the same if there is one of that name on another node, too.
void node_registry::show_again(const std::string& look, const std::string& room_look) {
  const auto where = rooms_elsewhere_.find(room_look);
  if (where == rooms_elsewhere_.end())
    return;
  if (const auto who = where->second.present.find(look); who != where->second.present.end())
    tell_observers(entered_atom::value, who->second.name, where->second.name);
}

// -- what others tell ---------------------------------------------------------------------------------

void node_registry::changed(const troupe::presence_change& what) {
  const bool aloud = what.cause != troupe::presence_cause::present;
  entry one;
  for (const auto& e : what.leaves)
    went(e.key, aloud);
  for (const auto& e : what.joins)
    if (read(e, one))
      came(e.key, one, aloud);
  for (const auto& e : what.updates)
    if (read(e, one))
      changed_name(e.key, one);
}

// Returns false for what this process has said, or what no chat says.
bool node_registry::read(const troupe::presence_entry& from, entry& into) const {
  if (from.key.starts_with(key_prefix_))
    return false;
  const std::string_view text = from.meta;
  const auto first = text.find('\n');
  const auto second = first == std::string_view::npos ? first : text.find('\n', first + 1);
  if (second == std::string_view::npos
      || std::from_chars(text.data(), text.data() + first, into.since).ptr != text.data() + first)
    return false;
  into.name = text.substr(first + 1, second - first - 1);
  into.room = text.substr(second + 1);
  if (!is_user_name(into.name)
      || (!into.room.empty() && check_room_name(into.room).name != into.room))
    return false;
  into.look = look_of(into.name);
  into.room_look = into.room.empty() ? std::string{} : look_of(into.room);
  into.node = from.node;
  return true;
}

bool node_registry::is_here(const std::string& look, const std::string& room_look) const {
  const auto who = told_.find(look);
  return who != told_.end() && (room_look.empty() || who->second.places.contains(room_look));
}

void node_registry::came(const std::string& key, entry what, bool aloud) {
  const auto [found, made] = others_.try_emplace(key, std::move(what));
  if (!made)
    return;
  const auto& e = found->second;
  const auto own = told_.find(e.look);
  if (e.room.empty()) {
    auto& who = people_[e.look];
    who = {e.name, e.node, who.entries + 1};
    if (own != told_.end()
        && std::tie(own->second.since, cluster_.name()) < std::tie(e.since, e.node))
      cluster_.actor(served_as, e.node)
        .send(bump_atom::value, e.name, own->second.since, cluster_.name());
    return;
  }
  auto& where = rooms_elsewhere_.try_emplace(e.room_look, other_room{e.room, {}}).first->second;
  auto& who = where.present[e.look];
  who = {e.name, e.node, who.entries + 1};
  if (who.entries > 1 || is_here(e.look, e.room_look))
    return; // was never away
  tell_observers(entered_atom::value, e.name, where.name);
  if (aloud)
    notify(e.room_look, e.name + " has come.");
}

void node_registry::went(const std::string& key, bool aloud) {
  const auto moved = others_.extract(key);
  if (moved.empty())
    return;
  const auto& e = moved.mapped();
  if (e.room.empty()) {
    const auto who = people_.find(e.look);
    if (--who->second.entries > 0)
      return;
    people_.erase(who);
    if (!is_here(e.look, {}))
      tell_observers(gone_atom::value, e.name);
    return;
  }
  const auto where = rooms_elsewhere_.find(e.room_look);
  const auto who = where->second.present.find(e.look);
  if (--who->second.entries > 0)
    return; // is back already
  where->second.present.erase(who);
  if (!is_here(e.look, e.room_look)) {
    tell_observers(left_atom::value, e.name, where->second.name);
    if (aloud)
      notify(e.room_look, e.name + " has left.");
  }
  if (where->second.present.empty())
    rooms_elsewhere_.erase(where);
}

// The room of an entry stays what it is.
void node_registry::changed_name(const std::string& key, entry what) {
  const auto found = others_.find(key);
  if (found == others_.end())
    return came(key, std::move(what), true);
  auto& e = found->second;
  if (e.room_look != what.room_look || e.name == what.name)
    return;
  const auto move = [&](auto& all) {
    if (const auto before = all.find(e.look); --before->second.entries == 0)
      all.erase(before);
    auto& after = all[what.look];
    after = {what.name, what.node, after.entries + 1};
  };
  if (e.room.empty()) {
    move(people_);
    tell_observers(renamed_atom::value, e.name, what.name);
  } else {
    move(rooms_elsewhere_.at(e.room_look).present);
    notify(e.room_look, e.name + " is called " + what.name + " now.");
  }
  e = std::move(what);
}

void node_registry::notify(const std::string& room_look, const std::string& what) const {
  const auto where = chat_rooms_->find(room_look);
  if (where && where->happens.subscribers() > 0)
    where->happens.publish("* " + what + "\r\n");
}

// -- for users here -----------------------------------------------------------------------------------

void node_registry::show_others(const caf::strong_actor_ptr& observer) {
  for (const auto& [look, r] : rooms_elsewhere_)
    for (const auto& [its, who] : r.present)
      tell(observer, caf::make_message(entered_atom::value, who.name, r.name));
}

void node_registry::add_others(const std::string& room, std::vector<std::string_view>& names,
                               std::size_t& count) {
  const auto where = rooms_elsewhere_.find(room);
  if (where == rooms_elsewhere_.end())
    return;
  for (const auto& [look, who] : where->second.present) {
    if (is_here(look, room))
      continue;
    ++count;
    if (names.size() < named_at_most)
      names.push_back(who.name);
  }
}

bool node_registry::tell_elsewhere(const std::string& from, const std::string& to,
                                   const std::string& text) {
  const auto who = people_.find(look_of(to));
  return who != people_.end()
         && !cluster_.actor(served_as, who->second.node).send(pass_atom::value, from, to, text);
}
