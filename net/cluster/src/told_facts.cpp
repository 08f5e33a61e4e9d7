#include <algorithm>
#include <utility>

#include "cluster_core.hpp"

namespace troupe::detail {

namespace {

std::uint64_t number_in(std::string_view value) noexcept {
  wire::reader in{as_bytes(value)};
  return in.u64();
}

} // namespace

// -- ours ---------------------------------------------------------------------------------------

void cluster_core::send_facts_changes() {
  if (!talks() || facts_.version() == facts_told_)
    return;
  if (!facts_.keeps(facts_told_)) {
    facts_told_ = facts_.version();
    for (auto& [name, p] : peers_)
      if (p->lives())
        tell_facts(*p, 0);
    return;
  }
  std::size_t sent = 0;
  const auto all = [&](const wire::writer& message) {
    sent += message.size();
    send_all(message);
    return sent < most_told() && link_->unsent() < most_told();
  };
  const auto longest = std::min(longest_batch, link_->longest_message());
  facts_told_ = facts_.tell_changes(facts_told_, header(wire::kind::facts), longest, all);
  if (facts_told_ != facts_.version() && !parts_call_.active())
    later(rest_after, &cluster_core::go_on_telling, parts_call_);
}

// Begins to tell it what has changed since a version, or all (0). If it is being told something, it hears the rest
// of that first, and asks again if it has missed some.
void cluster_core::tell_facts(peer& who, std::uint64_t from) {
  if (who.told_facts.begun && parts_call_.active())
    return;
  const bool changes = from != 0 && facts_.keeps(from);
  who.told_facts = {true, changes ? from : facts_.version(), 0, {}, changes};
  if (tell_parts(who) && !parts_call_.active())
    later(rest_after, &cluster_core::go_on_telling, parts_call_);
}

std::size_t cluster_core::most_told() const noexcept {
  return std::min(most_at_once, options_.max_unsent / 2);
}

// Tells it as much as the backplane takes now. Returns whether there is more.
bool cluster_core::tell_parts(peer& who) {
  auto& topics = who.told_interest;
  auto& facts = who.told_facts;
  if (!talks() || !who.lives()) {
    topics = facts = {};
    return false;
  }
  const auto most = most_told();
  std::size_t sent = 0;
  const auto has_room = [&] {
    return sent < most && link_->unsent() < most;
  };
  const auto to = [&](const wire::writer& message) {
    sent += message.size();
    send(who.name, message);
    return has_room();
  };
  const auto longest = std::min(longest_batch, link_->longest_message());
  while ((topics.begun || facts.begun) && has_room())
    if (topics.begun) {
      const auto h = header(wire::kind::interest);
      own_.tell_part(topics, h, longest, to);
      if (topics.begun)
        continue;
      who.sent_whole_interest = time_.now();
      own_.tell_changes(topics.version, h, longest, to); // if they are not kept, it asks
    } else if (!facts.changes) {
      facts_.tell_part(facts, header(wire::kind::facts), longest, to);
      if (facts.begun)
        continue;
      who.sent_whole_facts = time_.now();
      facts.begun = facts.changes = true;
    } else {
      if (facts_.keeps(facts.version)) // if not, it asks
        facts.version = facts_.tell_changes(facts.version, header(wire::kind::facts), longest, to);
      facts.begun = facts_.keeps(facts.version) && facts.version != facts_.version();
    }
  return topics.begun || facts.begun;
}

void cluster_core::go_on_telling() {
  send_facts_changes();
  bool more = false;
  for (auto& [name, p] : peers_)
    more |= tell_parts(*p);
  if (more)
    later(rest_after, &cluster_core::go_on_telling, parts_call_);
}

void cluster_core::hear_facts_wanted(peer& who, wire::reader& in) {
  const auto from = in.u64();
  if (!in.ok() || !talks())
    return;
  send_facts_changes(); // that it would miss behind what we tell
  const auto now = time_.now();
  constexpr std::uint64_t few = 256; // that cost no more than the question
  const bool many = from == 0 || from > facts_.version() || facts_.version() - from > few;
  if (many && now - who.sent_whole_facts < options_.heartbeat / 2
      && who.sent_whole_facts != time_point{})
    return; // it asks more often than it can need
  if (many)
    who.sent_whole_facts = now;
  tell_facts(who, from);
}

// -- those of others ----------------------------------------------------------------------------

void cluster_core::ask_facts(peer& who) {
  const auto now = time_.now();
  if (!talks()
      || (now - who.asked_facts < options_.heartbeat / 2 && who.asked_facts != time_point{}))
    return;
  who.asked_facts = now;
  wire::writer out{header(wire::kind::facts_wanted)};
  out.u64(who.facts);
  send(who.name, out);
}

void cluster_core::hear_facts(peer& who, wire::reader& in) {
  const auto i = wire::read_interest(in);
  if (!i)
    return note_bad_message(who.name, "facts that are none");
  const bool whole = (i->flags & wire::interest::whole) != 0;
  auto& parts = who.whole_facts;
  if (whole) {
    if (i->part == 0) {
      parts = {};
      parts.begun = true;
      parts.to = i->to;
      board_.begin_whole({who.name, who.boot});
    }
    if (!parts.begun || parts.to != i->to || parts.next_part++ != i->part) {
      parts = {}; // a part is lost: the next beat asks again
      return;
    }
  } else {
    if (i->to <= who.facts)
      return; // known
    if (i->from > who.facts)
      return ask_facts(who);
  }
  while (const auto next = wire::read_fact(in))
    if (!take_fact(who, *next)) {
      in.fail();
      break;
    }
  if (!in.ok()) {
    parts = {};
    return note_bad_message(who.name, "a fact that is none");
  }
  if (!whole) {
    who.facts = i->to;
  } else if ((i->flags & wire::interest::last) != 0) {
    std::vector<std::string> gone;
    for (const auto& [name, instance] : who.names)
      if (parts.names.count(name) == 0)
        gone.push_back(name);
    std::sort(gone.begin(), gone.end());
    for (const auto& name : gone)
      remove_name(who, name, nobody_serves(name, who.name));
    parts = {};
    who.facts = i->to;
    board_.end_whole({who.name, who.boot});
    presence_dirty_ = true;
    want_end_of_turn();
  }
}

// Returns false if it is none.
bool cluster_core::take_fact(peer& who, const wire::fact& what) {
  if (what.key.size() < 2)
    return false;
  switch (static_cast<std::uint8_t>(what.key[0])) {
  case name_fact:
    break;
  case presence_fact:
    return take_entry(who, what);
  case count_fact:
    return take_count(who, what);
  default:
    return true; // of a later version of the program
  }
  const std::string name{what.key.substr(1)};
  if (name.size() > wire::longest_topic)
    return false;
  if (!what.there) {
    remove_name(who, name, nobody_serves(name, who.name));
    return true;
  }
  const auto instance = number_in(what.value);
  if (instance == 0)
    return false;
  if (who.names.size() >= most_names && who.names.count(name) == 0) {
    note_bad_message(who.name, "more names than a node may serve");
    return true;
  }
  if (who.whole_facts.begun)
    who.whole_facts.names.insert(name);
  set_name(who, name, instance);
  return true;
}

// All that it said of itself is no longer so; if it is there again, it says it again.
void cluster_core::forget_facts(peer& who, const failure& why) {
  who.facts = 0;
  who.whole_facts = {};
  who.asked_facts = {};
  std::vector<std::string> names;
  for (const auto& [name, instance] : who.names)
    names.push_back(name);
  std::sort(names.begin(), names.end());
  for (const auto& name : names)
    remove_name(who, name, why);
}

// -- names that are facts -----------------------------------------------------------------------

void cluster_core::tell_name(const std::string& name) {
  const auto key = static_cast<char>(name_fact) + name;
  const auto instance = tells_name(name) ? directory_.instance(name) : 0;
  if (instance == 0) {
    facts_.remove(key);
  } else {
    wire::writer value;
    value.u64(instance);
    facts_.set(key, std::string{as_text(value.view())});
  }
  names_changed();
  want_end_of_turn();
}

} // namespace troupe::detail
