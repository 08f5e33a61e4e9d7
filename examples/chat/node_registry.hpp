#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <troupe/cluster/presence.hpp>
#include <troupe/runtime/deferred.hpp>

#include "user_registry.hpp"

namespace troupe {
class cluster;
}
class chat_rooms;

/// The registry of a chat that is one node of several, which all have one.
///
/// **A name belongs to one user of all nodes.** Who wants it has it when no other node objects; each is asked, and one that
/// does not answer does not object. Of two who want it at once it gets who asked first. Nodes that are out of each other's
/// sight cannot ask: each may give the name to somebody. When they see each other again, the claim that is older stays,
/// and the younger user is told, and loses the connection.
///
/// **Who is where** the nodes know of each other by presence, in the room `chat`: an entry for each user, and one for each
/// room in which a user is. It says when the name was claimed, the name, and the room. So /who, the doors' pictures and notices
/// have all users, also when they are lost together with their node.
///
/// Lifetime: `of` and its runtime outlive it. Served to other nodes as `users`.
class node_registry : public user_registry {
public:
  node_registry(caf::actor_config& cfg, troupe::cluster* of, std::shared_ptr<chat_rooms> rooms);

  caf::behavior make_behavior() override;
  void on_exit() override;

protected:
  void take(users::value_type& who, const claimant& to) override;
  void happened(entered_atom, const std::string& name, const std::string& room) override;
  void happened(left_atom, const std::string& name, const std::string& room) override;
  void happened(renamed_atom, const std::string& former, const std::string& name) override;
  void happened(gone_atom, const std::string& name) override;
  void show_others(const caf::strong_actor_ptr& observer) override;
  void add_others(const std::string& room, std::vector<std::string_view>& names,
                  std::size_t& count) override;
  bool tell_elsewhere(const std::string& from, const std::string& to,
                      const std::string& text) override;

private:
  // A user here, and what presence has of it.
  struct told {
    std::string name;
    std::uint64_t since = 0;
    std::string key;
    struct place {
      std::string key, room;
    };
    std::map<std::string, place> places; // by the looks of the rooms
  };

  // An entry of another node. Without a room it is a user's, who may be in any.
  struct entry {
    std::string look, name, room_look, room, node;
    std::uint64_t since = 0;
  };

  // Who has entries elsewhere: more than one, if a lost node's are held while the user is back.
  struct person {
    std::string name;
    std::string node; // where the last one came
    std::size_t entries = 0;
  };
  struct other_room {
    std::string name;
    std::map<std::string, person> present; // by their looks
  };

  // -- names
  struct question {
    std::string look;
    claimant who;
    std::size_t left = 0; // answers that are missing
  };
  [[nodiscard]] bool is_held(const std::string& look, const std::string& node) const;
  void answered(std::uint64_t number, bool free);
  void refuse(const std::string& look);
  troupe::deferred<bool> rival(const std::string& name, std::uint64_t since,
                               const std::string& node);
  void bump(const std::string& name, std::uint64_t since, const std::string& node);

  // -- what others are told
  told& told_of(const std::string& look);
  void track(const told& who);
  void show_again(const std::string& look, const std::string& room_look);

  // -- what others tell
  void changed(const troupe::presence_change& what);
  bool read(const troupe::presence_entry& from, entry& into) const;
  void came(const std::string& key, entry what, bool aloud);
  void went(const std::string& key, bool aloud);
  void changed_name(const std::string& key, entry what);
  [[nodiscard]] bool is_here(const std::string& look, const std::string& room_look) const;
  void notify(const std::string& room_look, const std::string& what) const;
  std::string next_key();

  troupe::cluster& cluster_;
  const std::shared_ptr<chat_rooms> chat_rooms_;
  troupe::presence presence_;
  caf::actor front_;       // what other nodes reach
  std::string key_prefix_; // of this process
  std::uint64_t last_key_ = 0;
  std::uint64_t last_since_ = 0;
  std::uint64_t last_question_ = 0;
  std::map<std::uint64_t, question> questions_;    // of names that are asked for
  std::unordered_map<std::string, told> told_;     // by looks
  std::unordered_map<std::string, entry> others_;  // by keys
  std::unordered_map<std::string, person> people_; // by looks, from entries without a room
  std::unordered_map<std::string, other_room> rooms_elsewhere_; // by looks
};
