#pragma once

#include <cstdint>
#include <map>
#include <string>

#include <troupe/actors/handlers.hpp>
#include <troupe/runtime/floating_actor.hpp>

using count_atom = caf::atom_constant<caf::atom("count")>; // word -> how often it was counted

/// Counts words. All connections share it, so it is an actor; a supervisor starts it anew if it crashes.
class tally : public troupe::floating_actor {
public:
  using floating_actor::floating_actor;

  caf::behavior make_behavior() override { return troupe::handlers(*this, &tally::count); }

private:
  std::uint64_t count(count_atom, const std::string& word) { return ++counts_[word]; }

  std::map<std::string, std::uint64_t> counts_;
};
