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
  const auto all = [this](const wire::writer& message) {
    send_all(message);
  };
  const auto longest = std::min(longest_batch, link_->longest_message());
  if (!facts_.tell_changes(facts_told_, header(wire::kind::facts), longest, all))
    facts_.tell_all(header(wire::kind::facts), longest, all);
  facts_told_ = facts_.version();
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
  const auto to = [&](const wire::writer& message) {
    send(who.name, message);
  };
  const auto longest = std::min(longest_batch, link_->longest_message());
  if (from == 0 || !facts_.tell_changes(from, header(wire::kind::facts), longest, to))
    facts_.tell_all(header(wire::kind::facts), longest, to);
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
