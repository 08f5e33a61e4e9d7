#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <caf/atom.hpp>

#include <troupe/actors/respond.hpp>
#include <troupe/runtime/pinned_actor.hpp>

namespace troupe::testing {

using where_atom = caf::atom_constant<caf::atom("where")>;
using never_atom = caf::atom_constant<caf::atom("never")>;
using note_atom = caf::atom_constant<caf::atom("note")>;
using refuse_atom = caf::atom_constant<caf::atom("refuse")>;
using handle_atom = caf::atom_constant<caf::atom("handle")>;

/// Serves a name; knows where it is.
class server final : public pinned_actor {
public:
  server(caf::actor_config& cfg, std::string where, std::vector<std::int64_t>* notes)
    : pinned_actor(cfg), where_(std::move(where)), notes_(notes) {}
  caf::behavior make_behavior() override {
    return {[this](where_atom, std::int64_t n) { return where_ + ' ' + std::to_string(n); },
            [this](never_atom) {
              owed_.emplace_back(*this);
              return caf::delegated<std::string>{};
            },
            [](refuse_atom) -> caf::result<std::string> {
              return failure{errc::name_taken, "it is mine"}.to_caf_error();
            },
            [this](handle_atom) { return caf::actor{this}; },
            [this](note_atom, std::int64_t n) {
              notes_->push_back(n);
            }};
  }

private:
  const std::string where_;
  std::vector<std::int64_t>* const notes_;
  std::vector<owed_response> owed_;
};

} // namespace troupe::testing
