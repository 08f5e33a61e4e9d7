#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <troupe/runtime/bytes.hpp>
#include <troupe/runtime/floating_actor.hpp>
#include <troupe/runtime/promise.hpp>

#include "names.hpp"

using claim_atom = caf::atom_constant<caf::atom(
  "claim")>; // user: name, room (or none), and who has another name, that
using release_atom = caf::atom_constant<caf::atom("release")>; // user: name
using present_atom = caf::atom_constant<caf::atom("present")>; // user: name, as its answer
using respell_atom = caf::atom_constant<caf::atom("respell")>; // user: its name, written otherwise
using join_atom = caf::atom_constant<caf::atom("join")>;       // user: name, room, as one more
using part_atom = caf::atom_constant<caf::atom("part")>;       // user: name, room
using watch_atom = caf::atom_constant<caf::atom("watch")>;     // observer: tell me what happens
using entered_atom = caf::atom_constant<caf::atom("entered")>; // to observers: name, room
using left_atom = caf::atom_constant<caf::atom("left")>;       // to observers: name, room
using renamed_atom = caf::atom_constant<caf::atom("renamed")>; // to observers: former name, name
using gone_atom = caf::atom_constant<caf::atom("gone")>;       // to observers: name
using move_atom = caf::atom_constant<caf::atom("move")>;       // user: name, room
using who_atom = caf::atom_constant<caf::atom("who")>;         // user: room
using tell_atom = caf::atom_constant<caf::atom("tell")>;       // user: from, to, text
using granted_atom = caf::atom_constant<caf::atom("granted")>; // to user
using taken_atom = caf::atom_constant<caf::atom("taken")>;     // to user
using answer_atom = caf::atom_constant<caf::atom("answer")>;   // to user: a line, or nothing
using asked_atom = caf::atom_constant<caf::atom("asked")>;     // to user: name; still there?
using bumped_atom = caf::atom_constant<caf::atom("bumped")>;   // to user: the name is another's

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
// A user of one door is in one room, one of another in several. Observers, such as a door with a picture of
// its own, are told who is where, and from then on what happens, in order.
//
// What a user asks for has one answer. Who waits for that before asking again cannot flood it.
//
// This one knows the users of this process. Of one that is a node among others, `node_registry` is the registry.
class user_registry : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    return {
      [this](claim_atom, const std::string& name, const std::string& room) {
        claim(name, room, {});
      },
      [this](claim_atom, const std::string& name, const std::string& room,
             const std::string& former) { claim(name, room, former); },
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
          observe(renamed_atom::value, std::exchange(found->second.name, name), name);
        answer({});
      },
      [this](join_atom, const std::string& name, const std::string& room) {
        const auto found = users_.find(look_of(name));
        if (found != users_.end() && found->second.actor == current_sender())
          enter(*found, room);
      },
      [this](part_atom, const std::string& name, const std::string& room) {
        const auto found = users_.find(look_of(name));
        const auto where = rooms_.find(look_of(room));
        if (found != users_.end() && found->second.actor == current_sender()
            && where != rooms_.end())
          leave(*found, *where);
      },
      [this](watch_atom) {
        observers_.push_back(current_sender());
        show_others(current_sender());
        for (const auto& [look, r] : rooms_)
          for (const auto* const who : r.present)
            tell(current_sender(),
                 caf::make_message(entered_atom::value, who->second.name, r.name));
      },
      [this](move_atom, const std::string& name, const std::string& room) {
        const auto found = users_.find(look_of(name));
        if (found != users_.end() && found->second.actor == current_sender()) {
          leave_all(*found);
          enter(*found, room);
        }
        answer({});
      },
      [this](who_atom, const std::string& room) { tell_who_is_in(room); },
      [this](tell_atom, const std::string& from, const std::string& to, const std::string& text) {
        if (!tell_user(from, to, text) && !tell_elsewhere(from, to, text))
          return answer("Nobody is called " + to + "; /who tells who is in your room.\r\n");
        answer({});
      },
    };
  }

  // Users have a handle of this actor, and it has theirs: what ends first lets go.
  void on_exit() override {
    rooms_.clear();
    claimants_.clear();
    observers_.clear();
    users_.clear();
    floating_actor::on_exit();
  }

protected:
  struct user;
  using users = std::unordered_map<std::string, user>; // by the looks of their names
  struct room {
    std::string name;
    std::vector<users::value_type*> present;
  };
  using rooms = std::unordered_map<std::string, room>; // likewise
  struct place {
    rooms::value_type* where;
    std::size_t index; // among those who are present
  };
  struct user {
    std::string name;
    caf::strong_actor_ptr actor;
    std::vector<place> places;
    bool renamed = false;    // observers know: the user has gone, or goes on under another name
    bool asked_for = false;  // another node might have the name: nobody is called so yet
    std::uint64_t since = 0; // in a cluster: when the name was asked for
  };
  struct claimant {
    caf::strong_actor_ptr actor{};
    std::string name{};
    std::string room{};
    std::string former{};
    std::shared_ptr<troupe::promise<bool>> elsewhere{}; // of another node: whether the name is free
  };

  // -- for registries of more than one process -----------------------------------------------------

  // The name is nobody's in this process.
  virtual void take(users::value_type& who, const claimant& to) { grant(who, to); }

  // What observers have been told.
  virtual void happened(entered_atom, const std::string&, const std::string&) {}
  virtual void happened(left_atom, const std::string&, const std::string&) {}
  virtual void happened(renamed_atom, const std::string&, const std::string&) {}
  virtual void happened(gone_atom, const std::string&) {}

  // Users of other processes: for a new observer, for /who, and for /msg.
  virtual void show_others(const caf::strong_actor_ptr&) {}
  virtual void add_others(const std::string&, std::vector<std::string_view>&, std::size_t&) {}
  virtual bool tell_elsewhere(const std::string&, const std::string&, const std::string&) {
    return false;
  }

  void claim(const std::string& name, const std::string& where, const std::string& former) {
    const auto [found, made] = users_.try_emplace(look_of(name));
    if (made)
      return take(*found, {current_sender(), name, where, former});
    wait_for(*found, {current_sender(), name, where, former});
  }

  void wait_for(const users::value_type& holder, claimant who) {
    auto& waiting = claimants_[holder.first];
    waiting.push_back(std::move(who));
    if (waiting.size() == 1)
      tell(holder.second.actor, caf::make_message(asked_atom::value, holder.second.name));
  }

  // Whoever asked from another node waits no longer.
  void forget(const std::string& look, const std::shared_ptr<troupe::promise<bool>>& elsewhere) {
    const auto waiting = claimants_.find(look);
    if (waiting == claimants_.end())
      return;
    std::erase_if(waiting->second, [&](const claimant& c) { return c.elsewhere == elsewhere; });
    if (waiting->second.empty())
      claimants_.erase(waiting);
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
    if (!std::exchange(found->second.renamed, true) && !found->second.asked_for)
      observe(gone_atom::value, found->second.name);
    leave_all(*found);
    found->second = {};
    if (waiting == claimants_.end())
      return void(users_.erase(found));
    const auto next = waiting->second.front();
    waiting->second.erase(waiting->second.begin());
    if (next.elsewhere) {
      users_.erase(found);
      next.elsewhere->callback(true);
    } else {
      take(*found, next);
    }
    refuse_claimants(look);
  }

  void grant(users::value_type& who, const claimant& to) {
    who.second.actor = to.actor;
    who.second.name = to.name;
    const auto former = to.former.empty() ? users_.end() : users_.find(look_of(to.former));
    if (former != users_.end() && former->second.actor == to.actor) {
      former->second.renamed = true;
      observe(renamed_atom::value, former->second.name, to.name);
    }
    if (!to.room.empty())
      enter(who, to.room);
    tell(who.second.actor, caf::make_message(granted_atom::value));
  }

  void refuse_claimants(const std::string& look) {
    const auto waiting = claimants_.find(look);
    if (waiting == claimants_.end())
      return;
    const auto refused = std::move(waiting->second);
    claimants_.erase(waiting);
    for (const auto& c : refused)
      if (c.elsewhere)
        c.elsewhere->callback(false);
      else
        tell(c.actor, caf::make_message(taken_atom::value));
  }

  void enter(users::value_type& who, const std::string& where) {
    auto& entered = *rooms_.try_emplace(look_of(where), room{where, {}}).first;
    for (const auto& p : who.second.places)
      if (p.where == &entered)
        return;
    who.second.places.push_back({&entered, entered.second.present.size()});
    entered.second.present.push_back(&who);
    observe(entered_atom::value, who.second.name, entered.second.name);
  }

  void leave(users::value_type& who, rooms::value_type& left) {
    auto& places = who.second.places;
    const auto is_it = [&left](const place& p) {
      return p.where == &left;
    };
    const auto found = std::find_if(places.begin(), places.end(), is_it);
    if (found == places.end())
      return;
    const auto index = found->index;
    places.erase(found);
    auto& present = left.second.present;
    auto& last = *present.back();
    if (&last != &who) {
      present[index] = &last;
      std::find_if(last.second.places.begin(), last.second.places.end(), is_it)->index = index;
    }
    present.pop_back();
    if (!who.second.renamed)
      observe(left_atom::value, who.second.name, left.second.name);
    if (present.empty())
      rooms_.erase(rooms_.find(left.first));
  }

  void leave_all(users::value_type& who) {
    while (!who.second.places.empty())
      leave(who, *who.second.places.back().where);
  }

  template <class... What>
  void tell_observers(What... what) {
    for (const auto& o : observers_)
      tell(o, caf::make_message(what...));
  }

  template <class... What>
  void observe(What... what) {
    tell_observers(what...);
    happened(what...);
  }

  [[nodiscard]] user* find_user(const std::string& look) {
    const auto found = users_.find(look);
    return found != users_.end() && !found->second.asked_for ? &found->second : nullptr;
  }

  static constexpr std::size_t named_at_most = 100; // by /who

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
    add_others(look_of(where), names, count);
    std::sort(names.begin(), names.end());
    line += ':';
    std::string_view separator = " ";
    for (const auto name : names)
      line.append(std::exchange(separator, ", ")).append(name);
    if (count > names.size())
      line += " and " + std::to_string(count - names.size()) + " more";
    answer(line + "\r\n");
  }

  bool tell_user(const std::string& from, const std::string& to, const std::string& text) {
    const auto* const who = find_user(look_of(to));
    if (who == nullptr)
      return false;
    const troupe::shared_bytes line{"[" + from + "] " + text + "\r\n"};
    tell(who->actor, caf::make_message(line));
    return true;
  }

  void answer(std::string_view line) {
    tell(current_sender(), caf::make_message(answer_atom::value, troupe::shared_bytes{line}));
  }

  void tell(const caf::strong_actor_ptr& who, caf::message what) {
    who->enqueue(ctrl(), caf::make_message_id(), std::move(what), context());
  }

  users users_;

private:
  rooms rooms_;
  std::vector<caf::strong_actor_ptr> observers_; // for as long as this
  std::unordered_map<std::string, std::vector<claimant>>
    claimants_; // of taken names; none is empty
};
