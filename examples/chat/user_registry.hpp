#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/floating_actor.hpp>

#include "names.hpp"

using claim_atom = caf::atom_constant<caf::atom("claim")>;     // user: name, room
using release_atom = caf::atom_constant<caf::atom("release")>; // user: name
using present_atom = caf::atom_constant<caf::atom("present")>; // user: name, as its answer
using respell_atom = caf::atom_constant<caf::atom("respell")>; // user: its name, written otherwise
using move_atom = caf::atom_constant<caf::atom("move")>;       // user: name, room
using who_atom = caf::atom_constant<caf::atom("who")>;         // user: room
using tell_atom = caf::atom_constant<caf::atom("tell")>;       // user: from, to, text
using granted_atom = caf::atom_constant<caf::atom("granted")>; // to user
using taken_atom = caf::atom_constant<caf::atom("taken")>;     // to user
using answer_atom = caf::atom_constant<caf::atom("answer")>;   // to user: a line, or nothing
using asked_atom = caf::atom_constant<caf::atom("asked")>;     // to user: name; still there?

// Knows who has which name and is in which room, and passes private messages on. What is said in a
// room does not come here.
//
// Connections live on all loops, so somebody may be back and claim the name before the loop of
// the old connection has seen its end. That is why a claim of a taken name waits until its holder
// has said, after looking at its socket, that it is there; or has released the name.
//
// Names that look alike (names.hpp) are one name, and so are rooms; users and rooms are found by that,
// and shown as they were named first.
//
// What a user asks for has one answer. Who waits for that before asking again cannot flood it.
class user_registry : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return {
      [this](claim_atom, const std::string& name, const std::string& room) { claim(name, room); },
      [this](release_atom, const std::string& name) { release(name, current_sender()); },
      [this](present_atom, const std::string& name) {
        const auto look = look_of(name);
        const auto found = users_.find(look);
        if (found != users_.end() && found->second.actor == current_sender())
          refuse_claimants(look);
      },
      [this](respell_atom, const std::string& name) {
        const auto found = users_.find(look_of(name));
        if (found != users_.end() && found->second.actor == current_sender())
          found->second.name = name;
        answer({});
      },
      [this](move_atom, const std::string& name, const std::string& room) {
        const auto found = users_.find(look_of(name));
        if (found != users_.end() && found->second.actor == current_sender())
          enter(*found, room);
        answer({});
      },
      [this](who_atom, const std::string& room) { tell_who_is_in(room); },
      [this](tell_atom, const std::string& from, const std::string& to, const std::string& text) {
        const auto found = users_.find(look_of(to));
        if (found == users_.end())
          return answer("Nobody is called " + to + "; /who tells who is in your room.\r\n");
        const troupe::shared_bytes line{"[" + from + "] " + text + "\r\n"};
        tell(found->second.actor, caf::make_message(line));
        answer({});
      },
    };
  }

private:
  struct user;
  using users = std::unordered_map<std::string, user>; // by the looks of their names
  struct room {
    std::string name;
    std::vector<users::value_type*> present;
  };
  using rooms = std::unordered_map<std::string, room>; // likewise
  struct user {
    std::string name;
    caf::strong_actor_ptr actor;
    rooms::value_type* where = nullptr;
    std::size_t index = 0; // in that room
  };
  struct claimant {
    caf::strong_actor_ptr actor;
    std::string name;
    std::string room;
  };

  static constexpr std::size_t named_at_most = 100; // by /who

  void claim(const std::string& name, const std::string& where) {
    auto look = look_of(name);
    const auto [found, made] = users_.try_emplace(look);
    if (made)
      return grant(*found, {current_sender(), name, where});
    auto& waiting = claimants_[std::move(look)];
    waiting.push_back({current_sender(), name, where});
    if (waiting.size() == 1)
      tell(found->second.actor, caf::make_message(asked_atom::value, found->second.name));
  }

  void release(const std::string& name, const caf::strong_actor_ptr& who) {
    const auto look = look_of(name);
    const auto found = users_.find(look);
    const auto waiting = claimants_.find(look);
    if (found == users_.end())
      return;
    if (found->second.actor != who) { // it left before it had an answer
      if (waiting == claimants_.end())
        return;
      std::erase_if(waiting->second, [&](const claimant& c) { return c.actor == who; });
      if (waiting->second.empty())
        claimants_.erase(waiting);
      return;
    }
    leave(*found);
    if (waiting == claimants_.end())
      return void(users_.erase(found));
    const auto next = waiting->second.front();
    waiting->second.erase(waiting->second.begin());
    grant(*found, next);
    refuse_claimants(look);
  }

  void grant(users::value_type& who, const claimant& to) {
    who.second.actor = to.actor;
    who.second.name = to.name;
    enter(who, to.room);
    tell(who.second.actor, caf::make_message(granted_atom::value));
  }

  void refuse_claimants(const std::string& look) {
    const auto waiting = claimants_.find(look);
    if (waiting == claimants_.end())
      return;
    for (const auto& c : waiting->second)
      tell(c.actor, caf::make_message(taken_atom::value));
    claimants_.erase(waiting);
  }

  void enter(users::value_type& who, const std::string& where) {
    leave(who);
    auto& entered = *rooms_.try_emplace(look_of(where), room{where, {}}).first;
    who.second.where = &entered;
    who.second.index = entered.second.present.size();
    entered.second.present.push_back(&who);
  }

  void leave(users::value_type& who) {
    auto* const left = std::exchange(who.second.where, nullptr);
    if (left == nullptr)
      return;
    auto& present = left->second.present;
    present[who.second.index] = present.back();
    present.back()->second.index = who.second.index;
    present.pop_back();
    if (present.empty())
      rooms_.erase(rooms_.find(left->first));
  }

  void tell_who_is_in(const std::string& where) {
    std::vector<std::string_view> names;
    std::size_t count = 0;
    std::string line = "In ";
    if (const auto found = rooms_.find(look_of(where)); found != rooms_.end()) {
      line += found->second.name;
      count = found->second.present.size();
      for (std::size_t i = 0; i < std::min(count, named_at_most); ++i)
        names.push_back(found->second.present[i]->second.name);
    } else {
      line += where;
    }
    std::sort(names.begin(), names.end());
    line += ':';
    std::string_view separator = " ";
    for (const auto name : names)
      line.append(std::exchange(separator, ", ")).append(name);
    if (count > names.size())
      line += " and " + std::to_string(count - names.size()) + " more";
    answer(line + "\r\n");
  }

  void answer(std::string_view line) {
    tell(current_sender(), caf::make_message(answer_atom::value, troupe::shared_bytes{line}));
  }

  void tell(const caf::strong_actor_ptr& who, caf::message what) {
    who->enqueue(ctrl(), caf::make_message_id(), std::move(what), context());
  }

  users users_;
  rooms rooms_;
  std::unordered_map<std::string, std::vector<claimant>>
    claimants_; // of taken names; none is empty
};
