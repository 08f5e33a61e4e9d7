#pragma once

#include <map>
#include <string>
#include <vector>

#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/floating_actor.hpp>

using claim_atom = caf::atom_constant<caf::atom("claim")>; // name -> whether it is yours
using who_atom = caf::atom_constant<caf::atom("who")>;     // -> all names

/// Knows who has which name. A name is free again when its holder ends, in whichever way.
class registry : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override {
    set_down_handler([this](caf::down_msg& down) {
      std::erase_if(names_, [&](const auto& entry) { return entry.second == down.source; });
    });
    return troupe::handlers(*this, &registry::claim, &registry::who);
  }

private:
  bool claim(claim_atom, const std::string& name) {
    const auto holder = caf::actor_cast<caf::actor>(current_sender());
    const bool granted = names_.emplace(name, holder->address()).second;
    if (granted)
      monitor(holder);
    return granted;
  }

  std::vector<std::string> who(who_atom) const {
    std::vector<std::string> all;
    for (const auto& [name, holder] : names_)
      all.push_back(name);
    return all;
  }

  std::map<std::string, caf::actor_addr> names_;
};
