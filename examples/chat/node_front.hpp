#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include <caf/actor.hpp>

#include <troupe/actors/ask.hpp>
#include <troupe/actors/handlers.hpp>
#include <troupe/net/printable.hpp>
#include <troupe/runtime/deferred.hpp>
#include <troupe/runtime/floating_actor.hpp>

#include "names.hpp"

// What registries of several nodes say to each other.
using rival_atom = caf::atom_constant<caf::atom("rival")>; // name, since, node: is it free?
using bump_atom = caf::atom_constant<caf::atom("bump")>;   // name, since, node: it is ours
using pass_atom = caf::atom_constant<caf::atom("pass")>;   // from, to, text

/// How long a node is waited for. One that ended without a word is suspected by then, and no longer taken for one that
/// has a name.
constexpr auto patience_with_nodes = std::chrono::seconds(2);

inline bool is_user_name(const std::string& text) {
  const auto checked = check_user_name(text);
  return checked.fault == name_fault::none && checked.name == text;
}

/// What other nodes reach of the registry, and no more than that. What they say is checked here.
class node_front : public troupe::floating_actor {
public:
  node_front(caf::actor_config& cfg, caf::actor registry)
    : floating_actor(cfg), registry_(std::move(registry)) {}

  caf::behavior make_behavior() override {
    return troupe::handlers(*this, &node_front::rival, &node_front::bump, &node_front::pass);
  }

  void on_exit() override {
    registry_ = {};
    floating_actor::on_exit();
  }

private:
  static constexpr std::size_t longest_message = 64 * 1024; // no line is longer

  troupe::deferred<bool> rival(rival_atom what, const std::string& name, std::uint64_t since,
                               const std::string& node) {
    if (!is_user_name(name))
      return troupe::succeed(false);
    return troupe::ask<bool>(*this, registry_, patience_with_nodes, what, name, since, node);
  }

  void bump(bump_atom what, const std::string& name, std::uint64_t since, const std::string& node) {
    if (is_user_name(name))
      send(registry_, what, name, since, node);
  }

  void pass(pass_atom what, const std::string& from, const std::string& to,
            const std::string& text) {
    if (is_user_name(from) && is_user_name(to) && text.size() <= longest_message)
      send(registry_, what, from, to, troupe::printable(text));
  }

  caf::actor registry_;
};
